# The whole picture, small: weather and scene are told by large things.
__norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
whole_train_pipeline = [
    dict(type="LoadImageFromFile", to_float32=True),
    dict(type="Resize", size=(144, 256)),
    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    dict(type="Normalize", **__norm),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="ToTensor", keys=["gt_label"]),
    dict(type="Collect", keys=["img", "gt_label"]),
]
whole_test_pipeline = [
    dict(type="LoadImageFromFile", to_float32=True),
    dict(type="Resize", size=(144, 256)),
    dict(type="Normalize", **__norm),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]
