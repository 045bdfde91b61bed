# Four tenths of the size of the pictures, in crops of 256x384 (height x width).
_base_ = "../../../configs/_base_/datasets/segmentation_steps.py"
crop_size = (256, 384)
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    {{_base_.pipeline_steps.load_classes}},
    dict(type="Resize", img_scale=(512, 288), ratio_range=(0.8, 1.4)),
    dict(type="RandomCrop", crop_size=crop_size, cat_max_ratio=0.75),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    dict(type="Pad", size=crop_size, pad_val=0, seg_pad_val=255),
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_classes}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(
        type="MultiScaleFlipAug",
        img_scale=(512, 288),
        flip=False,
        transforms={{_base_.pipeline_steps.test_transforms}},
    ),
]
