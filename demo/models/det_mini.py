_base_ = [
    "_base_/faster_rcnn_r18_narrow.py",
    "_base_/det_512x288.py",
    "_base_/schedule.py",
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=10)))
runner = dict(type="EpochBasedRunner", max_epochs=16)
