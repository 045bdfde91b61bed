_base_ = [
    "../_base_/models/vgg16.py",
    "../_base_/datasets/weather_224x224.py",
    "../_base_/schedules/schedule_5x.py",
    "../../../configs/_base_/default_runtime.py",
]
optimizer = dict(lr=0.01)
