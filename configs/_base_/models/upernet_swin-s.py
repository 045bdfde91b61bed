_base_ = "./upernet_swin-t.py"
checkpoint_file = "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/swin_small_patch4_window7_224_20220317-7ba6d6dd.pth"
model = dict(backbone=dict(init_cfg=dict(checkpoint=checkpoint_file), depths=[2, 2, 18, 2]))
