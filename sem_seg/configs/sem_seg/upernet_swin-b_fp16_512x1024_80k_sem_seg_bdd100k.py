_base_ = [
    "../../../configs/_base_/models/upernet_swin-b.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_80k_swin.py",
    "../../../configs/_base_/default_runtime.py",
]
optimizer_config = dict(type="Fp16OptimizerHook", loss_scale="dynamic")
fp16 = dict()
