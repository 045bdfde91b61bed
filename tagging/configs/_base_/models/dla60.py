_base_ = "./dla34.py"
model = dict(
    backbone=dict(
        levels=[1, 1, 1, 2, 3, 1], channels=[16, 32, 128, 256, 512, 1024], block="Bottleneck"
    )
)
