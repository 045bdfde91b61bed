_base_ = ["./bdd100k.py", "./size_256x192.py", "./pipelines_default.py"]

data = dict(
    train=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.train_pipeline}}),
    val=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.test_pipeline}}),
    test=dict(data_cfg={{_base_.data_cfg}}, pipeline={{_base_.test_pipeline}}),
)
