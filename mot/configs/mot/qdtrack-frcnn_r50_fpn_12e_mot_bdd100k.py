_base_ = [
    "../_base_/models/qdtrack_faster_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_mot.py",
    "../../../configs/_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
lr_config = dict(warmup_iters=1000)
