img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type="LoadImageFromFile", to_float32=True),
    dict(type="RandomResizedCrop", size=224),
    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="ToTensor", keys=["gt_label"]),
    dict(type="Collect", keys=["img", "gt_label"]),
]
test_pipeline = [
    dict(type="LoadImageFromFile", to_float32=True),
    dict(type="Resize", size=(256, -1)),
    dict(type="CenterCrop", crop_size=224),
    dict(type="Normalize", **img_norm_cfg),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]
data = dict(
    samples_per_gpu=32,
    workers_per_gpu=4,
    train=dict(
        type="BDD100KWeatherTaggingDataset",
        data_prefix="data/bdd100k/images/100k/train",
        ann_file="data/bdd100k/labels/det_20/det_train.json",
        pipeline=train_pipeline,
    ),
    val=dict(
        type="BDD100KWeatherTaggingDataset",
        data_prefix="data/bdd100k/images/100k/val",
        ann_file="data/bdd100k/labels/det_20/det_val.json",
        pipeline=test_pipeline,
        test_mode=True,
    ),
    test=dict(
        type="BDD100KWeatherTaggingDataset",
        data_prefix="data/bdd100k/images/100k/val",
        ann_file="data/bdd100k/labels/det_20/det_val.json",
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
