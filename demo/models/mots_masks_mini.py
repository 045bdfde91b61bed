# PCAN's second stage: masks, on top of a trained mot_mini.
_base_ = [
    "_base_/qdtrack_masks_r18_narrow.py",
    "_base_/mots_512x288.py",
    "_base_/schedule.py",
]
runner = dict(type="EpochBasedRunner", max_epochs=8)
