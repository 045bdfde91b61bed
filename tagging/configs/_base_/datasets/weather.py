"""Where the images and labels of weather are; the configs beside it add the pipelines."""

__val = dict(
    type="BDD100KWeatherTaggingDataset",
    data_prefix="data/bdd100k/images/100k/val",
    ann_file="data/bdd100k/labels/det_20/det_val.json",
    test_mode=True,
)
data = dict(
    workers_per_gpu=4,
    train=dict(
        type="BDD100KWeatherTaggingDataset",
        data_prefix="data/bdd100k/images/100k/train",
        ann_file="data/bdd100k/labels/det_20/det_train.json",
    ),
    val=__val,
    test=__val,
)
