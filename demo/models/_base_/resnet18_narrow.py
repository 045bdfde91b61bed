_base_ = "../../../tagging/configs/_base_/models/resnet18.py"
model = dict(backbone=dict(stem_channels=16, base_channels=16), head=dict(in_channels=128))
