# Four tenths of the size of the pictures.
_base_ = "../../../mots/configs/_base_/datasets/bdd100k_mots.py"
train_pipeline = [
    {{_base_.pipeline_steps.load}},
    {{_base_.pipeline_steps.load_masks}},
    dict(type="Resize", img_scale=(512, 288), keep_ratio=True),
    {{_base_.pipeline_steps.flip}},
    {{_base_.pipeline_steps.normalize}},
    {{_base_.pipeline_steps.pad}},
    {{_base_.pipeline_steps.bundle}},
    {{_base_.pipeline_steps.collect_masks}},
]
test_pipeline = [
    {{_base_.pipeline_steps.load}},
    dict(
        type="MultiScaleFlipAug",
        img_scale=(512, 288),
        flip=False,
        transforms={{_base_.pipeline_steps.test.transforms}},
    ),
]
data = dict(
    workers_per_gpu=1,
    train=[
        dict(
            type="BDD100KMOTSDataset",
            ann_file="data/bdd100k/jsons/seg_track_train_cocofmt.json",
            img_prefix="data/bdd100k/images/seg_track_20/train",
            pipeline=train_pipeline,
        ),
        dict(
            type="BDD100KMOTSDataset",
            ann_file="data/bdd100k/jsons/ins_seg_train_cocofmt.json",
            img_prefix="data/bdd100k/images/10k/train",
            reference_frames=0,
            pipeline=train_pipeline,
        ),
    ],
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
