_base_ = [
    "../_base_/models/sparse_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_det.py",
    "../_base_/schedules/sparse_rcnn_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
