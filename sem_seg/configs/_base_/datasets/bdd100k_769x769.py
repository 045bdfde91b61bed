_base_ = ["./bdd100k.py", "../../../../configs/_base_/datasets/pipelines_769x769.py"]
data = dict(
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
