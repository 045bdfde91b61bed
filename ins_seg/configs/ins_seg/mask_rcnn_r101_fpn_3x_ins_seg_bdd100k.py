_base_ = "mask_rcnn_r50_fpn_3x_ins_seg_bdd100k.py"
model = dict(pretrained="torchvision://resnet101", backbone=dict(depth=101))
