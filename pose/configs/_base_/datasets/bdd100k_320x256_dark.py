_base_ = ["./bdd100k.py", "./size_320x256.py", "./pipelines_dark.py"]

data = dict(
    train=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.train_pipeline}}),
    val=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.test_pipeline}}),
    test=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.test_pipeline}}),
)
