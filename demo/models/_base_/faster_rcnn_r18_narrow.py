# A quarter of ResNet-18's width, trained whole.
_base_ = "../../../configs/_base_/models/faster_rcnn_r50_fpn.py"
model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        frozen_stages=-1,
        norm_eval=False,
    ),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    rpn_head=dict(in_channels=48, feat_channels=48),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=48),
        bbox_head=dict(in_channels=48, fc_out_channels=96),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=600, max_per_img=300), rcnn=dict(sampler=dict(num=128))
    ),
    test_cfg=dict(rpn=dict(nms_pre=600, max_per_img=300)),
)
