_base_ = ["../../../configs/_base_/models/faster_rcnn_r50_fpn.py", "narrow.py"]
model = {{_base_.narrow}}
