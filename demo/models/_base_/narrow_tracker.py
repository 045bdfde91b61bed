_base_ = "narrow.py"
narrow = dict(
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
