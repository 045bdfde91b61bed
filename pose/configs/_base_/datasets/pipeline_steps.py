"""Steps that the pipelines of all heat map encodings share."""

pipeline_steps = dict(
    load=dict(type="LoadImageFromFile", to_float32=True, channel_order="bgr"),
    box=dict(type="TopDownGetBboxCenterScale", padding=1.25),
    shift=dict(type="TopDownRandomShiftBboxCenter", shift_factor=0.16, prob=0.3),
    flip=dict(type="TopDownRandomFlip", flip_prob=0.5),
    half_body=dict(type="TopDownHalfBodyTransform", num_joints_half_body=8, prob_half_body=0.3),
    scale_rotation=dict(type="TopDownGetRandomScaleRotation", rot_factor=40, scale_factor=0.5),
    tensor=dict(type="ToTensor"),
    normalize=dict(type="NormalizeTensor", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    collect_train=dict(
        type="Collect",
        keys=["img", "target", "target_weight"],
        meta_keys=[
            "image_file",
            "joints_3d",
            "joints_3d_visible",
            "center",
            "scale",
            "rotation",
            "bbox_score",
            "flip_pairs",
        ],
    ),
    collect_test=dict(
        type="Collect",
        keys=["img"],
        meta_keys=["image_file", "center", "scale", "rotation", "bbox_score", "flip_pairs"],
    ),
)
