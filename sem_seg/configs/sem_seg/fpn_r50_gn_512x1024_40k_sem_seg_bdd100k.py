_base_ = [
    "../../../configs/_base_/models/fpn_r50_gn.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_40k.py",
    "../../../configs/_base_/default_runtime.py",
]
