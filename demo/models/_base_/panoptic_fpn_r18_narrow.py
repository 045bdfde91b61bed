_base_ = ["../../../pan_seg/configs/_base_/models/panoptic_fpn_r50_fpn.py", "narrow.py"]
model = dict(
    backbone={{_base_.narrow.backbone}},
    neck={{_base_.narrow.neck}},
    rpn_head={{_base_.narrow.rpn_head}},
    roi_head=dict(
        bbox_roi_extractor={{_base_.narrow.box_extractor}},
        bbox_head={{_base_.narrow.box_head}},
        mask_roi_extractor={{_base_.narrow.box_extractor}},
        mask_head={{_base_.narrow.mask_head}},
    ),
    semantic_head=dict(in_channels=48, inner_channels=32, norm_cfg=dict(type="GN", num_groups=8)),
    train_cfg={{_base_.narrow.train_cfg}},
    test_cfg=dict(
        rpn={{_base_.narrow.proposals}}, panoptic=dict(score_thr=0.5, stuff_area_limit=1024)
    ),
)
