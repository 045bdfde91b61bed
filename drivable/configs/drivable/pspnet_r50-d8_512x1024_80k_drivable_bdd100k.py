_base_ = [
    "../../../configs/_base_/models/pspnet_r50-d8.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_80k.py",
    "../../../configs/_base_/default_runtime.py",
]
model = dict(decode_head=dict(num_classes=3), auxiliary_head=dict(num_classes=3))
