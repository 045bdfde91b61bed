_base_ = ["faster_rcnn_r50_fpn.py", "../../../../configs/_base_/models/hrnet_w18.py"]
model = dict(
    backbone=dict(
        _delete_=True,
        type="HRNet",
        extra={{_base_.hrnet}},
        init_cfg=dict(type="Pretrained", checkpoint="open-mmlab://msra/hrnetv2_w18"),
    ),
    neck=dict(_delete_=True, type="HRFPN", in_channels=[18, 36, 72, 144], out_channels=256),
)
