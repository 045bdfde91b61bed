_base_ = ["../../../configs/_base_/models/mask_rcnn_r50_fpn.py", "narrow_masks.py"]
model = {{_base_.narrow}}
