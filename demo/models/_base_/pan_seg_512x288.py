_base_ = ["../../../pan_seg/configs/_base_/datasets/bdd100k.py", "pipeline_512x288.py"]
train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.load_panoptic}},
    {{_base_.pipeline_steps.resize}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.shrink_semantic}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_panoptic}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.test}},
]
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=1,
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
