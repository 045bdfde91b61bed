"""Steps that the pipelines of weather and scene share; the sizes are for each to say."""

_base_ = "../../../../configs/_base_/datasets/image_steps.py"
pipeline_steps = dict(
    flip=dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    tensor_label=dict(type="ToTensor", keys=["gt_label"]),
    collect_label=dict(type="Collect", keys=["img", "gt_label"]),
)
