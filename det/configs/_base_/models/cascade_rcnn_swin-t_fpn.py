_base_ = ["cascade_rcnn_r50_fpn.py", "swin-t.py"]
model = dict(backbone={{_base_.swin_t}}, neck=dict(in_channels=[96, 192, 384, 768]))
