"""The stages of HRNet-W18; wider ones differ in their channels."""

hrnet = dict(
    stage1=dict(
        num_modules=1, num_branches=1, block="BOTTLENECK", num_blocks=(4,), num_channels=(64,)
    ),
    stage2=dict(
        num_modules=1, num_branches=2, block="BASIC", num_blocks=(4, 4), num_channels=(18, 36)
    ),
    stage3=dict(
        num_modules=4,
        num_branches=3,
        block="BASIC",
        num_blocks=(4, 4, 4),
        num_channels=(18, 36, 72),
    ),
    stage4=dict(
        num_modules=3,
        num_branches=4,
        block="BASIC",
        num_blocks=(4, 4, 4, 4),
        num_channels=(18, 36, 72, 144),
    ),
)
