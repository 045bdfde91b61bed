_base_ = "../../../configs/_base_/default_runtime.py"
# From scratch, on a CPU: AdamW, a short warm-up, and a cosine down to nothing.
optimizer = dict(type="AdamW", lr=1e-3, weight_decay=0.01)
optimizer_config = dict(grad_clip=dict(max_norm=10, norm_type=2))
lr_config = dict(
    policy="CosineAnnealing",
    by_epoch=False,
    warmup="linear",
    warmup_iters=100,
    warmup_ratio=0.01,
    min_lr_ratio=0.001,
)
checkpoint_config = dict(interval=1, max_keep_ckpts=2)
log_config = dict(interval=20, hooks=[dict(type="TextLoggerHook")])
