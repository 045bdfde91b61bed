_base_ = ["./res50.py", "../../../../configs/_base_/models/hrnet_w32.py"]

model = dict(
    pretrained="https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w32-36af842e.pth",
    backbone=dict(
        _delete_=True,
        type="HRNet",
        in_channels=3,
        extra={{_base_.hrnet}},
    ),
    keypoint_head=dict(in_channels=32, num_deconv_layers=0, extra=dict(final_conv_kernel=1)),
)
