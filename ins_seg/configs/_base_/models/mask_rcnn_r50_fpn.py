_base_ = "../../../../configs/_base_/models/mask_rcnn_r50_fpn.py"
model = dict(
    pretrained="torchvision://resnet50",
    roi_head=dict(bbox_head=dict(num_classes=8), mask_head=dict(num_classes=8)),
)
