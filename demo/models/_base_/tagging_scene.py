_base_ = ["../../../tagging/configs/_base_/datasets/scene.py", "tagging_256x144.py"]
data = dict(
    samples_per_gpu=16,
    workers_per_gpu=1,
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
