_base_ = [
    "../../../mots/configs/_base_/models/qdtrack_mask_rcnn_r50_fpn.py",
    "narrow_tracker_masks.py",
]
model = {{_base_.narrow}}
