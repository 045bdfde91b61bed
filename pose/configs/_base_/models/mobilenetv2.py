_base_ = "./res50.py"

model = dict(
    pretrained="mmcls://mobilenet_v2",
    backbone=dict(_delete_=True, type="MobileNetV2", widen_factor=1.0, out_indices=(7,)),
    keypoint_head=dict(in_channels=1280),
)
