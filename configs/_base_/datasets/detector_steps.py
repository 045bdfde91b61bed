"""Steps that the pipelines of det, ins_seg and pan_seg choose from."""

_base_ = "./image_steps.py"
min_values = (600, 624, 648, 672, 696, 720)
pipeline_steps = dict(
    load_boxes=dict(type="LoadAnnotations", with_bbox=True),
    load_masks=dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    load_panoptic=dict(
        type="LoadPanopticAnnotations", with_bbox=True, with_mask=True, with_seg=True
    ),
    resize=dict(type="Resize", img_scale=(1280, 720), keep_ratio=True),
    resize_multiscale=dict(
        type="Resize",
        img_scale=[(1280, value) for value in min_values],
        multiscale_mode="value",
        keep_ratio=True,
    ),
    flip=dict(type="RandomFlip", flip_ratio=0.5),
    # For backbones that were pretrained in Caffe: BGR, no division by a standard deviation.
    normalize_caffe=dict(
        type="Normalize",
        mean=[102.9801, 115.9465, 122.7717],
        std=[1.0, 1.0, 1.0],
        to_rgb=False,
    ),
    pad=dict(type="Pad", size_divisor=32),
    shrink_semantic=dict(type="SegRescale", scale_factor=1.0 / 4),
    collect_boxes=dict(type="Collect", keys=["img", "gt_bboxes", "gt_labels"]),
    collect_masks=dict(type="Collect", keys=["img", "gt_bboxes", "gt_labels", "gt_masks"]),
    collect_panoptic=dict(
        type="Collect", keys=["img", "gt_bboxes", "gt_labels", "gt_masks", "gt_semantic_seg"]
    ),
    test=dict(
        type="MultiScaleFlipAug",
        img_scale=(1280, 720),
        flip=False,
        transforms=[
            dict(type="Resize", keep_ratio=True),
            dict(type="RandomFlip"),
            {{_base_.pipeline_steps.normalize}},
            dict(type="Pad", size_divisor=32),
            {{_base_.pipeline_steps.tensor}},
            {{_base_.pipeline_steps.collect_image}},
        ],
    ),
)
