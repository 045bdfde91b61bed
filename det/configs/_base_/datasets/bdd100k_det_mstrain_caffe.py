_base_ = "bdd100k_det_caffe.py"
train_pipeline = [
    {{_base_.pipeline_steps.load_float32}},
    {{_base_.pipeline_steps.load_boxes}},
    {{_base_.pipeline_steps.resize_multiscale}},
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize_caffe}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_boxes}},
]
data = dict(train=dict(pipeline=train_pipeline))
