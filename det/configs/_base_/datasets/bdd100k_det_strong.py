# Mosaic, MixUp and colour jitter over two images a GPU.
_base_ = "bdd100k_det.py"
train_dataset = dict(
    type="MultiImageMixDataset",
    dataset=dict(
        type={{_base_.data.train.type}},
        ann_file={{_base_.data.train.ann_file}},
        img_prefix={{_base_.data.train.img_prefix}},
        filter_empty_gt=True,
        pipeline=[{{_base_.pipeline_steps.load}}, {{_base_.pipeline_steps.load_boxes}}],
    ),
    pipeline=[
        dict(type="Mosaic", img_scale=(720, 1280)),
        dict(type="MixUp", img_scale=(720, 1280)),
        {{_base_.pipeline_steps.flip}},
        dict(type="Resize", img_scale=(1280, 720), ratio_range=(0.5, 1.5)),
        dict(type="RandomCrop", crop_size=(720, 1280), allow_negative_crop=True),
        dict(type="PhotoMetricDistortion"),
        {{_base_.pipeline_steps.normalize}},
        {{_base_.pipeline_steps.pad}},
        {{_base_.pipeline_steps.bundle}},
        {{_base_.pipeline_steps.collect_boxes}},
    ],
)
data = dict(samples_per_gpu=2, workers_per_gpu=2, train=dict(_delete_=True, **train_dataset))
