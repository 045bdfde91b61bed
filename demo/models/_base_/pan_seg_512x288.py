_base_ = ["../../../pan_seg/configs/_base_/datasets/bdd100k_pan_seg.py", "pipeline_512x288.py"]
train_pipeline = [
    {{_base_.steps.load}},
    dict(type="LoadPanopticAnnotations", with_bbox=True, with_mask=True, with_seg=True),
    {{_base_.steps.resize}},
    {{_base_.steps.flip}},
    {{_base_.steps.normalize}},
    {{_base_.steps.pad}},
    dict(type="SegRescale", scale_factor=1.0 / 4),
    {{_base_.steps.bundle}},
    dict(type="Collect", keys=["img", "gt_bboxes", "gt_labels", "gt_masks", "gt_semantic_seg"]),
]
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=1,
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline={{_base_.small_test_pipeline}}),
    test=dict(pipeline={{_base_.small_test_pipeline}}),
)
