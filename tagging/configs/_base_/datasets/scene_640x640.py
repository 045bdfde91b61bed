_base_ = ["./scene.py", "./pipelines_640x640.py"]
data = dict(
    samples_per_gpu=12,
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
