_base_ = [
    "_base_/panoptic_fpn_r18_narrow.py",
    "_base_/pan_seg_512x288.py",
    "_base_/schedule.py",
]
runner = dict(type="EpochBasedRunner", max_epochs=6)
