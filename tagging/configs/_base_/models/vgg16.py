_base_ = "./vgg11.py"
model = dict(backbone=dict(depth=16))
