_base_ = [
    "../_base_/models/faster_rcnn_hrnetv2p_w18.py",
    "../_base_/datasets/bdd100k_det.py",
    "../../../configs/_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
data = dict(samples_per_gpu=2, workers_per_gpu=2)
