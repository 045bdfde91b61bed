# What makes a detector small: a quarter of ResNet-18's width, trained whole, fewer channels above.
__proposals = dict(nms_pre=600, max_per_img=300)
narrow = dict(
    backbone=dict(depth=18, base_channels=16, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=48),
    rpn_head=dict(in_channels=48, feat_channels=48),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=48),
        bbox_head=dict(in_channels=48, fc_out_channels=96),
    ),
    train_cfg=dict(rpn_proposal=__proposals, rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=__proposals),
)
