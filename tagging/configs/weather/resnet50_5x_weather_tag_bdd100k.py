_base_ = [
    "../_base_/models/resnet50.py",
    "../_base_/datasets/weather_640x640.py",
    "../_base_/schedules/schedule_5x.py",
    "../../../configs/_base_/default_runtime.py",
]
