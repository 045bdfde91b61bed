"""Pipelines of weather and scene for 224x224: random crops, scaled."""

_base_ = "./pipeline_steps.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="RandomResizedCrop", size=224),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.tensor_label}},
    {{_base_.pipeline_steps.collect_label}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="Resize", size=(256, -1)),
    dict(type="CenterCrop", crop_size=224),
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.collect_image}},
]
