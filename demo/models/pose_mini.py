_base_ = [
    "../../pose/configs/_base_/models/res50.py",
    "../../pose/configs/_base_/datasets/bdd100k_256x192.py",
    "_base_/schedule.py",
]
model = dict(
    pretrained=None,
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    keypoint_head=dict(in_channels=128, num_deconv_filters=(48, 48, 48)),
)
data = dict(samples_per_gpu=16, workers_per_gpu=1)
runner = dict(type="EpochBasedRunner", max_epochs=12)
evaluation = dict(interval=10, metric="mAP")
