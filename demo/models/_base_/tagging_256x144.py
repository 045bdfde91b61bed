# The whole picture, small: weather and scene are told by large things.
_base_ = "../../../tagging/configs/_base_/datasets/pipeline_steps.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="Resize", size=(144, 256)),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.tensor_label}},
    {{_base_.pipeline_steps.collect_label}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    dict(type="Resize", size=(144, 256)),
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.collect_image}},
]
