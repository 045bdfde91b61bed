# Four tenths of the size of the pictures; each task puts its own annotations between the steps.
__norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
small_test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(
        type="MultiScaleFlipAug",
        img_scale=(512, 288),
        flip=False,
        transforms=[
            dict(type="Resize", keep_ratio=True),
            dict(type="RandomFlip"),
            dict(type="Normalize", **__norm),
            dict(type="Pad", size_divisor=32),
            dict(type="ImageToTensor", keys=["img"]),
            dict(type="Collect", keys=["img"]),
        ],
    ),
]
steps = dict(
    load=dict(type="LoadImageFromFile"),
    resize=dict(type="Resize", img_scale=(512, 288), keep_ratio=True),
    flip=dict(type="RandomFlip", flip_ratio=0.5),
    normalize=dict(type="Normalize", **__norm),
    pad=dict(type="Pad", size_divisor=32),
    bundle=dict(type="DefaultFormatBundle"),
)
