_base_ = [
    "../../../configs/_base_/models/pointrend_r50.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_40k.py",
    "../../../configs/_base_/default_runtime.py",
]
lr_config = dict(warmup="linear", warmup_iters=200)
