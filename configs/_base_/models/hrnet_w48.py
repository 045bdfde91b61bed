_base_ = "./hrnet_w18.py"
hrnet = dict(
    stage2=dict(num_channels=(48, 96)),
    stage3=dict(num_channels=(48, 96, 192)),
    stage4=dict(num_channels=(48, 96, 192, 384)),
)
