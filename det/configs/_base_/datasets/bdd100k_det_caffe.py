# For backbones that were pretrained in Caffe, which learnt on other colours.
_base_ = "bdd100k_det.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    {{_base_.pipeline_steps.load_boxes}},
    {{_base_.pipeline_steps.resize}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize_caffe}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_boxes}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(
        type="MultiScaleFlipAug",
        img_scale=(1280, 720),
        flip=False,
        transforms=[
            dict(type="Resize", keep_ratio=True),
            dict(type="RandomFlip"),
            {{_base_.pipeline_steps.normalize_caffe}},
            {{_base_.pipeline_steps.pad}},
            {{_base_.pipeline_steps.tensor}},
            {{_base_.pipeline_steps.collect_image}},
        ],
    ),
]
data = dict(
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
