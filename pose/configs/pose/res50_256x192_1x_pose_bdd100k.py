_base_ = [
    "../_base_/datasets/bdd100k_256x192.py",
    "../_base_/models/res50.py",
    "../_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
