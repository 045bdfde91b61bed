_base_ = ["./weather.py", "./pipelines_224x224.py"]
data = dict(
    samples_per_gpu=32,
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
