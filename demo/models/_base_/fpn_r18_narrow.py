# A quarter of ResNet-18's width under a semantic FPN; backbone and neck are those of det_mini.
_base_ = "../../../configs/_base_/models/fpn_r50.py"
norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    pretrained=None,
    backbone=dict(type="ResNet", depth=18, base_channels=16, norm_cfg=norm_cfg),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    decode_head=dict(in_channels=[48, 48, 48, 48], channels=48, norm_cfg=norm_cfg),
)
