"""Where the images and annotations of det are; the configs beside it add the pipelines."""

__val = dict(
    type="BDD100KDetDataset",
    ann_file="data/bdd100k/jsons/det_val_cocofmt.json",
    img_prefix="data/bdd100k/images/100k/val",
)
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=4,
    train=dict(
        type="BDD100KDetDataset",
        ann_file="data/bdd100k/jsons/det_train_cocofmt.json",
        img_prefix="data/bdd100k/images/100k/train",
    ),
    val=__val,
    test=__val,
)
evaluation = dict(interval=1, metric="bbox")
