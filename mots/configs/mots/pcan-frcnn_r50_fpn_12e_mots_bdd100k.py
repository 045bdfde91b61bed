# The last of three stages: begin with the weights of the second, _base_/qdtrack_masks_12e.py.
_base_ = [
    "../_base_/models/pcan_mask_rcnn_r50_fpn.py",
    "../_base_/datasets/bdd100k_mots.py",
    "../../../configs/_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
optimizer = dict(lr=0.01)
lr_config = dict(warmup_iters=1000)
