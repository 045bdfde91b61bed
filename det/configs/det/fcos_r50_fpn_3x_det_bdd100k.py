_base_ = [
    "../_base_/models/fcos_r50_fpn.py",
    "../_base_/datasets/bdd100k_det_mstrain_caffe.py",
    "../_base_/schedules/fcos_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
