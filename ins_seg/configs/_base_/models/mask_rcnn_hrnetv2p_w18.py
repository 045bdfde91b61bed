_base_ = ["mask_rcnn_r50_fpn.py", "../../../../configs/_base_/models/hrnet_w18.py"]
model = dict(
    pretrained="open-mmlab://msra/hrnetv2_w18",
    backbone=dict(
        _delete_=True,
        type="HRNet",
        extra={{_base_.hrnet}},
    ),
    neck=dict(_delete_=True, type="HRFPN", in_channels=[18, 36, 72, 144], out_channels=256),
)
