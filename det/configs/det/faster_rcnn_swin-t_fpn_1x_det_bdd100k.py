_base_ = [
    "../_base_/models/faster_rcnn_swin-t_fpn.py",
    "../_base_/datasets/bdd100k_det.py",
    "../_base_/schedules/swin_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
data = dict(samples_per_gpu=2, workers_per_gpu=2)
