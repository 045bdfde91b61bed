_base_ = [
    "../_base_/models/sparse_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_det_mstrain_float32.py",
    "../_base_/schedules/sparse_rcnn_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
