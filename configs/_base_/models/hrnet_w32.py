_base_ = "./hrnet_w18.py"
hrnet = dict(
    stage2=dict(num_channels=(32, 64)),
    stage3=dict(num_channels=(32, 64, 128)),
    stage4=dict(num_channels=(32, 64, 128, 256)),
)
