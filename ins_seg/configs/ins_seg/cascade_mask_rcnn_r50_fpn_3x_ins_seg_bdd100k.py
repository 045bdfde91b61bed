# As published: no multi-scale training, unlike the other 3x models.
_base_ = [
    "../_base_/models/cascade_mask_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_ins_seg.py",
    "../../../configs/_base_/schedules/schedule_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
