# The last of PCAN's three stages, on top of a trained mots_masks_mini.
_base_ = [
    "_base_/pcan_r18_narrow.py",
    "_base_/mots_512x288.py",
    "_base_/schedule.py",
]
runner = dict(type="EpochBasedRunner", max_epochs=4)
