_base_ = [
    "_base_/fpn_r18_narrow.py",
    "../../sem_seg/configs/_base_/datasets/bdd100k.py",
    "_base_/segmentation_512x288.py",
    "_base_/schedule.py",
]
# By the square root of how rare a class is among the pixels of the rendered scenes.
class_weight = [
    *(0.4, 0.8, 0.4, 0.9, 2.0, 1.0, 2.1, 1.1, 0.8, 0.7),
    *(0.4, 1.0, 1.8, 0.6, 1.0, 1.2, 1.1, 1.6, 2.5),
]
model = dict(decode_head=dict(num_classes=19, loss_decode=dict(class_weight=class_weight)))
data = dict(
    samples_per_gpu=4,
    train=dict(pipeline={{_base_.train_pipeline}}),
    val=dict(pipeline={{_base_.test_pipeline}}),
    test=dict(pipeline={{_base_.test_pipeline}}),
)
optimizer = dict(lr=2e-3)
runner = dict(type="EpochBasedRunner", max_epochs=12)
evaluation = dict(interval=6, metric="mIoU")
