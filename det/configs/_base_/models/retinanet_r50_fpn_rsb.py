_base_ = "retinanet_r50_fpn.py"
checkpoint = "https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb256-rsb-a1-600e_in1k_20211228-20e21305.pth"
model = dict(backbone=dict(init_cfg=dict(checkpoint=checkpoint, prefix="backbone.")))
