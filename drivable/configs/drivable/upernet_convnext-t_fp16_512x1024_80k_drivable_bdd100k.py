_base_ = [
    "../../../configs/_base_/models/upernet_convnext-t.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_80k_convnext.py",
    "../../../configs/_base_/default_runtime.py",
]
model = dict(decode_head=dict(num_classes=3), auxiliary_head=dict(num_classes=3))
