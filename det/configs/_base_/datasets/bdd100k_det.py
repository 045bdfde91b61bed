_base_ = ["./bdd100k.py", "../../../../configs/_base_/datasets/detector_steps.py"]
train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.load_boxes}},
    {{_base_.pipeline_steps.resize}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_boxes}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.test}},
]
data = dict(
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
