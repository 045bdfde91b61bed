"""Where the images and masks of sem_seg are; the crop-size configs beside it add the pipelines."""

__val = dict(
    type="BDD100KSemSegDataset",
    img_dir="data/bdd100k/images/10k/val",
    ann_dir="data/bdd100k/labels/sem_seg/masks/val",
)
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(
        type="BDD100KSemSegDataset",
        img_dir="data/bdd100k/images/10k/train",
        ann_dir="data/bdd100k/labels/sem_seg/masks/train",
    ),
    val=__val,
    test=__val,
)
