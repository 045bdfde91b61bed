_base_ = "./res50.py"

model = dict(pretrained="torchvision://resnet101", backbone=dict(depth=101))
