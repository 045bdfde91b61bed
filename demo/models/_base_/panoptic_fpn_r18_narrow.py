_base_ = ["../../../pan_seg/configs/_base_/models/panoptic_fpn_r50_fpn.py", "narrow_panoptic.py"]
model = {{_base_.narrow}}
