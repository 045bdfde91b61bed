_base_ = "narrow.py"
# A small detector takes one vehicle for several: thresholds chosen on videos of another seed.
narrow = dict(
    tracker=dict(init_score_thr=0.8, obj_score_thr=0.6, nms_class_iou_thr=0.3),
    roi_head=dict(
        track_roi_extractor=dict(out_channels=48),
        track_head=dict(
            num_convs=2,
            in_channels=48,
            conv_out_channels=24,
            fc_out_channels=96,
            embed_channels=64,
            norm_cfg=dict(num_groups=12),
        ),
    ),
)
