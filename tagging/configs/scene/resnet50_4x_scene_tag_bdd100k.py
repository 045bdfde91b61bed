_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/datasets/scene_640x640.py",
    "../_base_/schedules/schedule_4x.py",
    "../../../configs/_base_/default_runtime.py",
]
