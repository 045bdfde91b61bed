# A quarter of ResNet-18's width under a semantic FPN.
_base_ = "../../../configs/_base_/models/fpn_r50.py"
norm_cfg = dict(type="BN", requires_grad=True)
model = dict(
    pretrained=None,
    backbone=dict(depth=18, base_channels=16, norm_cfg=norm_cfg),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    decode_head=dict(in_channels=[48, 48, 48, 48], channels=48, norm_cfg=norm_cfg),
)
