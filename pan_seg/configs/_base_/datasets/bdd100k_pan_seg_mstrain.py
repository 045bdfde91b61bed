_base_ = "bdd100k_pan_seg.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    {{_base_.pipeline_steps.load_panoptic}},
    {{_base_.pipeline_steps.resize_multiscale}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.shrink_semantic}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_panoptic}},
]
data = dict(train=dict(pipeline=train_pipeline))
