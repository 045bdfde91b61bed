_base_ = [
    "../_base_/datasets/bdd100k_320x256.py",
    "../_base_/models/hrnet_w32.py",
    "../_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
