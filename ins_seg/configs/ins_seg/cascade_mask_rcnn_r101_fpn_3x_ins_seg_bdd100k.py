_base_ = "cascade_mask_rcnn_r50_fpn_3x_ins_seg_bdd100k.py"
model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint="torchvision://resnet101")),
)
