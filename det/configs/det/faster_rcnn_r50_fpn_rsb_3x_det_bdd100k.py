_base_ = [
    "../_base_/models/faster_rcnn_r50_fpn_rsb.py",
    "../_base_/datasets/bdd100k_det_mstrain.py",
    "../_base_/schedules/rsb_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
optimizer = dict(lr=0.0002)
