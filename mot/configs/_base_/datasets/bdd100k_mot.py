"""A training sample is a frame with another of its video, at most ``reference_frames`` away.

The pictures of det are their own references.
"""

_base_ = "../../../../configs/_base_/datasets/detector_steps.py"
train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.load_boxes}},
    dict(type="Resize", img_scale=(1296, 720), keep_ratio=True),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_boxes}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load}},
    dict(
        type="MultiScaleFlipAug",
        img_scale=(1296, 720),
        flip=False,
        transforms={{_base_.pipeline_steps.test.transforms}},
    ),
]
__val = dict(
    type="BDD100KMOTDataset",
    ann_file="data/bdd100k/jsons/box_track_val_cocofmt.json",
    img_prefix="data/bdd100k/images/track/val",
    pipeline=test_pipeline,
)
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=[
        dict(
            type="BDD100KMOTDataset",
            ann_file="data/bdd100k/jsons/box_track_train_cocofmt.json",
            img_prefix="data/bdd100k/images/track/train",
            reference_frames=3,
            pipeline=train_pipeline,
        ),
        dict(
            type="BDD100KMOTDataset",
            ann_file="data/bdd100k/jsons/det_train_cocofmt.json",
            img_prefix="data/bdd100k/images/100k/train",
            reference_frames=0,
            pipeline=train_pipeline,
        ),
    ],
    val=__val,
    test=__val,
)
evaluation = dict(interval=1)
