# PCAN's second stage, masks for a trained QDTrack: begin with its weights.
_base_ = [
    "models/qdtrack_mask_rcnn_r50_fpn.py",
    "datasets/bdd100k_mots.py",
    "../../../configs/_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]
optimizer = dict(lr=0.01)
lr_config = dict(warmup_iters=1000)
