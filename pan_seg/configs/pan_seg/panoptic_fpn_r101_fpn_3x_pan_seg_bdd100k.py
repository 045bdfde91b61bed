_base_ = "panoptic_fpn_r50_fpn_3x_pan_seg_bdd100k.py"
model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")),
)
