"""Steps that the pipelines of sem_seg and drivable share; the sizes are for each to say."""

_base_ = "./image_steps.py"
pipeline_steps = dict(
    load_classes=dict(type="LoadAnnotations"),
    flip=dict(type="RandomFlip", prob=0.5),
    distort=dict(type="PhotoMetricDistortion"),
    collect_classes=dict(type="Collect", keys=["img", "gt_semantic_seg"]),
    test_transforms=[
        dict(type="Resize", keep_ratio=True),
        dict(type="RandomFlip"),
        {{_base_.pipeline_steps.normalize}},
        {{_base_.pipeline_steps.tensor}},
        {{_base_.pipeline_steps.collect_image}},
    ],
)
