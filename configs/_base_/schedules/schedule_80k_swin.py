_base_ = "./schedule_80k_vit.py"
optimizer = dict(
    paramwise_cfg=dict(
        custom_keys=dict(
            _delete_=True,
            absolute_pos_embed=dict(decay_mult=0.0),
            relative_position_bias_table=dict(decay_mult=0.0),
            norm=dict(decay_mult=0.0),
        )
    )
)
