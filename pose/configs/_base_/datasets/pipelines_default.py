_base_ = "./pipeline_steps.py"

train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.box}},
    {{_base_.pipeline_steps.shift}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.half_body}},
    {{_base_.pipeline_steps.scale_rotation}},
    dict(type="TopDownAffine"),
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.normalize}},
    dict(type="TopDownGenerateTarget", sigma=2),
    {{_base_.pipeline_steps.collect_train}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.box}},
    dict(type="TopDownAffine"),
    {{_base_.pipeline_steps.tensor}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.collect_test}},
]
