_base_ = "fcos_r50_fpn_3x_det_bdd100k.py"
model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(checkpoint="open-mmlab://detectron/resnet101_caffe"),
    ),
)
