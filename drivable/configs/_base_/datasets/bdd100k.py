"""Where the images and masks of drivable are; the crop-size configs beside it add the pipelines."""

__val = dict(
    type="BDD100KDrivableDataset",
    img_dir="data/bdd100k/images/100k/val",
    ann_dir="data/bdd100k/labels/drivable/masks/val",
)
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(
        type="BDD100KDrivableDataset",
        img_dir="data/bdd100k/images/100k/train",
        ann_dir="data/bdd100k/labels/drivable/masks/train",
    ),
    val=__val,
    test=__val,
)
