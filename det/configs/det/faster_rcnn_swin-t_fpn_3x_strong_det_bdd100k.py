_base_ = [
    "../_base_/models/faster_rcnn_swin-t_fpn.py",
    "../_base_/datasets/bdd100k_det_strong.py",
    "../_base_/schedules/swin_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
