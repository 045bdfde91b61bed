_base_ = "narrow_masks.py"
narrow = dict(
    semantic_head=dict(in_channels=48, inner_channels=32, norm_cfg=dict(type="GN", num_groups=8)),
    test_cfg=dict(panoptic=dict(score_thr=0.5, stuff_area_limit=1024)),
)
