_base_ = "./resnet50-d8.py"
model = dict(
    decode_head=dict(type="DNLHead", reduction=2, use_scale=True, mode="embedded_gaussian")
)
