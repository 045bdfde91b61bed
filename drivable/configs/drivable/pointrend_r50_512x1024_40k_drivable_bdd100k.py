import mmcv

_base_ = [
    "../../../configs/_base_/models/pointrend_r50.py",
    "../_base_/datasets/bdd100k_512x1024.py",
    "../../../configs/_base_/schedules/schedule_40k.py",
    "../../../configs/_base_/default_runtime.py",
]
lr_config = dict(warmup="linear", warmup_iters=200)
# A list cannot be merged key by key: take both heads from the base.
model = dict(
    decode_head=[
        dict(head, num_classes=3)
        for head in mmcv.Config.fromfile(
            "{{ fileDirname }}/../../../configs/_base_/models/pointrend_r50.py"
        ).model.decode_head
    ]
)
