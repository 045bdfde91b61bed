_base_ = "faster_rcnn_r50_fpn_5x_det_bdd100k.py"
model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")),
)
