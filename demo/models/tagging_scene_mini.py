_base_ = [
    "_base_/resnet18_narrow.py",
    "_base_/tagging_scene.py",
    "_base_/schedule.py",
]
runner = dict(type="EpochBasedRunner", max_epochs=30)
