_base_ = "mask_rcnn_hrnetv2p_w18_1x_ins_seg_bdd100k.py"
model = dict(
    pretrained="open-mmlab://msra/hrnetv2_w40",
    backbone=dict(
        extra=dict(
            stage2=dict(num_channels=(40, 80)),
            stage3=dict(num_channels=(40, 80, 160)),
            stage4=dict(num_channels=(40, 80, 160, 320)),
        ),
    ),
    neck=dict(in_channels=[40, 80, 160, 320]),
)
