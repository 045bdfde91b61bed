_base_ = ["./upernet_r50.py", "./convnext-t.py"]
custom_imports = dict(imports="mmcls.models", allow_failed_imports=False)
model = dict(
    pretrained=None,
    backbone={{_base_.convnext_t}},
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
)
