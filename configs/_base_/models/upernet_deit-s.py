_base_ = "./upernet_vit-b.py"
model = dict(
    pretrained="pretrain/deit_small_patch16_224-cd65a155.pth",
    backbone=dict(embed_dims=384, num_heads=6, drop_path_rate=0.1),
    neck=dict(in_channels=[384, 384, 384, 384], out_channels=384),
    decode_head=dict(in_channels=[384, 384, 384, 384]),
    auxiliary_head=dict(in_channels=384),
)
