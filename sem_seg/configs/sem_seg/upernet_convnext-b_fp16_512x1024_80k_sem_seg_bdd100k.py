_base_ = [
    "../../../configs/_base_/models/upernet_convnext-b.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_80k_convnext.py",
    "../../../configs/_base_/default_runtime.py",
]
