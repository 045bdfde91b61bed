_base_ = "fcos_r50_fpn_1x_det_bdd100k.py"
model = dict(
    backbone=dict(init_cfg=dict(checkpoint="open-mmlab://detectron2/resnet50_caffe")),
    bbox_head=dict(
        norm_on_bbox=True,
        centerness_on_reg=True,
        dcn_on_last_conv=False,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type="GIoULoss"),
    ),
    test_cfg=dict(nms=dict(iou_threshold=0.6)),
)
optimizer_config = dict(_delete_=True, grad_clip=None)
lr_config = dict(warmup="linear")
