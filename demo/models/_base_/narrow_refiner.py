_base_ = "narrow_tracker_masks.py"
narrow = dict(
    channels=48,
    roi_head=dict(refine_head=dict(num_convs=2, in_channels=48, conv_out_channels=48)),
)
