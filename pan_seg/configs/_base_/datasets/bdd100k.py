"""Where the images and annotations of pan_seg are; the configs beside it add the pipelines."""

__val = dict(
    type="BDD100KPanSegDataset",
    ann_file="data/bdd100k/jsons/pan_seg_val_cocofmt.json",
    ins_ann_file="data/bdd100k/jsons/ins_seg_val_cocofmt.json",
    img_prefix="data/bdd100k/images/10k/val",
    seg_prefix="data/bdd100k/jsons/pan_seg/masks/val/",
)
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(
        type="BDD100KPanSegDataset",
        ann_file="data/bdd100k/jsons/pan_seg_train_cocofmt.json",
        img_prefix="data/bdd100k/images/10k/train",
        seg_prefix="data/bdd100k/jsons/pan_seg/masks/train/",
    ),
    val=__val,
    test=__val,
)
evaluation = dict(interval=1, metric=["PQ"])
cudnn_benchmark = True  # every picture has the same size
