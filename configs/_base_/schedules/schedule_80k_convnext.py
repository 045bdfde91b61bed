_base_ = "./schedule_80k_vit.py"
optimizer = dict(
    constructor="LearningRateDecayOptimizerConstructor",
    lr=1e-4,
    weight_decay=0.05,
    paramwise_cfg=dict(_delete_=True, decay_rate=0.9, decay_type="stage_wise", num_layers=6),
)
# An empty fp16 marks the model as mixed precision; the loss scale belongs to the optimizer hook.
optimizer_config = dict(type="Fp16OptimizerHook", loss_scale="dynamic")
fp16 = dict()
