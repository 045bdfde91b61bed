_base_ = [
    "../_base_/models/mask_rcnn_hrnetv2p_w18.py",
    "../_base_/datasets/bdd100k_ins_seg.py",
    "../../../configs/_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
