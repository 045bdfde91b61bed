_base_ = "../../../../configs/_base_/models/faster_rcnn_r50_fpn.py"
model = dict(
    backbone=dict(init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50")),
    roi_head=dict(bbox_head=dict(num_classes=10)),
)
