_base_ = "mask_rcnn_hrnetv2p_w18_3x_ins_seg_bdd100k.py"
model = dict(
    pretrained="open-mmlab://msra/hrnetv2_w32",
    backbone=dict(
        extra=dict(
            stage2=dict(num_channels=(32, 64)),
            stage3=dict(num_channels=(32, 64, 128)),
            stage4=dict(num_channels=(32, 64, 128, 256)),
        ),
    ),
    neck=dict(in_channels=[32, 64, 128, 256]),
)
