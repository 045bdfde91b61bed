_base_ = ["cascade_rcnn_r50_fpn.py", "../../../../configs/_base_/models/convnext-t.py"]
custom_imports = dict(imports=["mmcls.models"], allow_failed_imports=False)
model = dict(backbone={{_base_.convnext_t}}, neck=dict(in_channels=[96, 192, 384, 768]))
