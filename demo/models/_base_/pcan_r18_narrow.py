_base_ = [
    "../../../mots/configs/_base_/models/pcan_mask_rcnn_r50_fpn.py",
    "narrow_refiner.py",
]
model = {{_base_.narrow}}
