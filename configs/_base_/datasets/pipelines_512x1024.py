"""Pipelines of sem_seg and drivable for training crops of 512x1024 (height x width)."""

_base_ = "./segmentation_steps.py"
crop_size = (512, 1024)
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    {{_base_.pipeline_steps.load_classes}},
    dict(type="Resize", img_scale=(1280, 720), ratio_range=(0.5, 2.0)),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.distort}},
    {{_base_.pipeline_steps.normalize}},
    dict(type="Pad", size=crop_size, pad_val=0, seg_pad_val=255),
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_classes}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(
        type="MultiScaleFlipAug",
        img_scale=(1280, 720),
        flip=False,
        transforms={{_base_.pipeline_steps.test_transforms}},
    ),
]
