_base_ = "../../../../configs/_base_/schedules/schedule_1x.py"
optimizer = dict(
    _delete_=True,
    constructor="LearningRateDecayOptimizerConstructor",
    type="AdamW",
    lr=0.0001,
    betas=(0.9, 0.999),
    weight_decay=0.05,
    paramwise_cfg=dict(decay_rate=0.95, decay_type="layer_wise", num_layers=6),
)
lr_config = dict(warmup_iters=1000, step=[9, 11])
