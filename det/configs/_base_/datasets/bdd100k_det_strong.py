# Mosaic, MixUp and colour jitter over two images a GPU.
_base_ = "bdd100k_det.py"
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_dataset = dict(
    type="MultiImageMixDataset",
    dataset=dict(
        type={{_base_.dataset_type}},
        ann_file={{_base_.data.train.ann_file}},
        img_prefix={{_base_.data.train.img_prefix}},
        filter_empty_gt=True,
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations", with_bbox=True),
        ],
    ),
    pipeline=[
        dict(type="Mosaic", img_scale=(720, 1280)),
        dict(type="MixUp", img_scale=(720, 1280)),
        dict(type="RandomFlip", flip_ratio=0.5),
        dict(type="Resize", img_scale=(1280, 720), ratio_range=(0.5, 1.5)),
        dict(type="RandomCrop", crop_size=(720, 1280), allow_negative_crop=True),
        dict(type="PhotoMetricDistortion"),
        dict(type="Normalize", **img_norm_cfg),
        dict(type="Pad", size_divisor=32),
        dict(type="DefaultFormatBundle"),
        dict(type="Collect", keys=["img", "gt_bboxes", "gt_labels"]),
    ],
)
data = dict(samples_per_gpu=2, workers_per_gpu=2, train=dict(_delete_=True, **train_dataset))
