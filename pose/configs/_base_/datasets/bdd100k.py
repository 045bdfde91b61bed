_base_ = "./dataset_info.py"

dataset_type = "TopDownBDD100KPoseDataset"
data_root = "data/bdd100k/"
data = dict(
    samples_per_gpu=64,
    workers_per_gpu=2,
    val_dataloader=dict(samples_per_gpu=32),
    test_dataloader=dict(samples_per_gpu=32),
    train=dict(
        type=dataset_type,
        ann_file=data_root + "jsons/pose_train_cocofmt.json",
        img_prefix=data_root + "images/100k/train/",
        dataset_info={{_base_.dataset_info}},
    ),
    val=dict(
        type=dataset_type,
        ann_file=data_root + "jsons/pose_val_cocofmt.json",
        img_prefix=data_root + "images/100k/val/",
        dataset_info={{_base_.dataset_info}},
    ),
    test=dict(
        type=dataset_type,
        ann_file=data_root + "jsons/pose_val_cocofmt.json",
        img_prefix=data_root + "images/100k/val/",
        dataset_info={{_base_.dataset_info}},
    ),
)
