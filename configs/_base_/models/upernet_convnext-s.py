_base_ = "./upernet_convnext-t.py"
checkpoint_file = "https://download.openmmlab.com/mmclassification/v0/convnext/downstream/convnext-small_3rdparty_32xb128-noema_in1k_20220301-303e75e3.pth"
model = dict(
    backbone=dict(arch="small", drop_path_rate=0.3, init_cfg=dict(checkpoint=checkpoint_file))
)
