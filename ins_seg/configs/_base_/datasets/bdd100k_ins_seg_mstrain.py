_base_ = "bdd100k_ins_seg.py"
train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.load_masks}},
    {{_base_.pipeline_steps.resize_multiscale}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_masks}},
]
data = dict(train=dict(pipeline=train_pipeline))
