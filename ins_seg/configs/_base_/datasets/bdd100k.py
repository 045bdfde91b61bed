"""Where the images and annotations of ins_seg are; the configs beside it add the pipelines."""

__val = dict(
    type="BDD100KInsSegDataset",
    ann_file="data/bdd100k/jsons/ins_seg_val_cocofmt.json",
    img_prefix="data/bdd100k/images/10k/val",
)
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(
        type="BDD100KInsSegDataset",
        ann_file="data/bdd100k/jsons/ins_seg_train_cocofmt.json",
        img_prefix="data/bdd100k/images/10k/train",
    ),
    val=__val,
    test=__val,
)
evaluation = dict(interval=1, metric=["bbox", "segm"])
