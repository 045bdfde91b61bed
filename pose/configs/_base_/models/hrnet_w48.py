_base_ = "./hrnet_w32.py"

model = dict(
    pretrained="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w48-8ef0771d.pth",
    backbone=dict(
        extra=dict(
            stage2=dict(num_channels=(48, 96)),
            stage3=dict(num_channels=(48, 96, 192)),
            stage4=dict(num_channels=(48, 96, 192, 384)),
        )
    ),
    keypoint_head=dict(in_channels=48),
)
