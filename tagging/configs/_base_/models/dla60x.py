_base_ = "./dla60.py"
model = dict(backbone=dict(block="BottleneckX"))
