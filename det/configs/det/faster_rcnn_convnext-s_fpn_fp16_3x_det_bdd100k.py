_base_ = "faster_rcnn_convnext-t_fpn_fp16_3x_det_bdd100k.py"
checkpoint_file = "https://download.openmmlab.com/mmclassification/v0/convnext/downstream/convnext-small_3rdparty_32xb128-noema_in1k_20220301-303e75e3.pth"
model = dict(
    backbone=dict(
        arch="small",
        drop_path_rate=0.6,
        init_cfg=dict(checkpoint=checkpoint_file),
    ),
)
optimizer = dict(paramwise_cfg=dict(num_layers=12))
