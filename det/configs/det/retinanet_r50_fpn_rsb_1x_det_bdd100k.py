_base_ = [
    "../_base_/models/retinanet_r50_fpn_rsb.py",
    "../_base_/datasets/bdd100k_det.py",
    "../_base_/schedules/rsb_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
