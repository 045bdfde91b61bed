_base_ = ["../../../tagging/configs/_base_/datasets/weather_224x224.py", "tagging_256x144.py"]
data = dict(
    samples_per_gpu=16,
    workers_per_gpu=1,
    train=dict(pipeline={{_base_.whole_train_pipeline}}),
    val=dict(pipeline={{_base_.whole_test_pipeline}}),
    test=dict(pipeline={{_base_.whole_test_pipeline}}),
)
