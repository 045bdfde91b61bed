"""Pipelines of weather and scene for 640x640: crops as they are."""

_base_ = "./pipeline_steps.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="RandomCrop", size=640),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.tensor_label}},
    {{_base_.pipeline_steps.collect_label}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="CenterCrop", crop_size=640),
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.collect_image}},
]
