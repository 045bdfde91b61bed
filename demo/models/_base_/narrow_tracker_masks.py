_base_ = "narrow_tracker.py"
narrow = dict(
    roi_head=dict(
        mask_roi_extractor=dict(out_channels=48),
        mask_head=dict(num_convs=2, in_channels=48, conv_out_channels=48),
    ),
)
