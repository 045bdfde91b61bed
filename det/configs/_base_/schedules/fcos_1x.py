_base_ = "../../../../configs/_base_/schedules/schedule_1x.py"
optimizer = dict(lr=0.01, paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0))
optimizer_config = dict(_delete_=True, grad_clip=dict(max_norm=35, norm_type=2))
lr_config = dict(warmup="constant", warmup_ratio=1.0 / 3)
