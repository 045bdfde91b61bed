_base_ = [
    "../_base_/models/gcnet_mask_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_ins_seg_mstrain.py",
    "../../../configs/_base_/schedules/schedule_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
