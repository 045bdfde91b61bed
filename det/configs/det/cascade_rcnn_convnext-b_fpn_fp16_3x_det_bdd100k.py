_base_ = "cascade_rcnn_convnext-t_fpn_fp16_3x_det_bdd100k.py"
checkpoint_file = "https://download.openmmlab.com/mmclassification/v0/convnext/convnext-base_in21k-pre-3rdparty_32xb128_in1k_20220124-eb2d6ada.pth"
model = dict(
    backbone=dict(
        arch="base",
        drop_path_rate=0.4,
        init_cfg=dict(checkpoint=checkpoint_file),
    ),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
optimizer = dict(paramwise_cfg=dict(num_layers=12))
