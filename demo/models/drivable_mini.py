_base_ = [
    "_base_/fpn_r18_narrow.py",
    "../../drivable/configs/_base_/datasets/bdd100k.py",
    "_base_/segmentation_512x288.py",
    "_base_/schedule.py",
]
model = dict(decode_head=dict(num_classes=3))
data = dict(
    samples_per_gpu=4,
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
optimizer = dict(lr=2e-3)
runner = dict(type="EpochBasedRunner", max_epochs=6)
evaluation = dict(interval=3, metric="mIoU")
