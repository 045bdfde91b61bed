_base_ = "./upernet_swin-s.py"
checkpoint_file = "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/swin_base_patch4_window7_224_20220317-e9b98025.pth"
model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint=checkpoint_file), embed_dims=128, num_heads=[4, 8, 16, 32]
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024]),
    auxiliary_head=dict(in_channels=512),
)
