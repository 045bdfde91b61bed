_base_ = [
    "_base_/mask_rcnn_r18_narrow.py",
    "_base_/ins_seg_512x288.py",
    "_base_/schedule.py",
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=8), mask_head=dict(num_classes=8)))
runner = dict(type="EpochBasedRunner", max_epochs=10)
