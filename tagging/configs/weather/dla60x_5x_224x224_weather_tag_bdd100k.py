_base_ = [
    "../_base_/models/dla60x.py",
    "../_base_/datasets/weather_224x224.py",
    "../_base_/schedules/schedule_5x.py",
    "../../../configs/_base_/default_runtime.py",
]
