"""Steps of the pipelines of every task but pose, the statistics of ImageNet among them."""

pipeline_steps = dict(
    load=dict(type="LoadImageFromFile"),
    load_float32=dict(type="LoadImageFromFile", to_float32=True),
    normalize=dict(
        type="Normalize",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    bundle=dict(type="DefaultFormatBundle"),
    tensor=dict(type="ImageToTensor", keys=["img"]),
    collect_image=dict(type="Collect", keys=["img"]),
)
