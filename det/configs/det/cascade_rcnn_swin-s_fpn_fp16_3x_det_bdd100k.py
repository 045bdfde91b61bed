# As published: the name says fp16, the training used float32.
_base_ = "cascade_rcnn_swin-t_fpn_3x_det_bdd100k.py"
pretrained = "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_small_patch4_window7_224.pth"
model = dict(
    backbone=dict(depths=[2, 2, 18, 2], init_cfg=dict(checkpoint=pretrained)),
)
