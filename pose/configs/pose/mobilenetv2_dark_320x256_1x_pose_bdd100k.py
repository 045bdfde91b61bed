_base_ = [
    "../_base_/datasets/bdd100k_320x256_dark.py",
    "../_base_/models/mobilenetv2.py",
    "../_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]

model = dict(test_cfg=dict(post_process="unbiased"))
