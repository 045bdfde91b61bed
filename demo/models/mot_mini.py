_base_ = [
    "_base_/qdtrack_r18_narrow.py",
    "_base_/mot_512x288.py",
    "_base_/schedule.py",
]
runner = dict(type="EpochBasedRunner", max_epochs=16)
