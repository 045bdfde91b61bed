_base_ = [
    "../../../mot/configs/_base_/models/qdtrack_faster_rcnn_r50_fpn.py",
    "narrow_tracker.py",
]
model = {{_base_.narrow}}
