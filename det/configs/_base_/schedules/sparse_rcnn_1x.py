_base_ = "../../../../configs/_base_/schedules/schedule_1x.py"
optimizer = dict(_delete_=True, type="AdamW", lr=0.000025, weight_decay=0.0001)
optimizer_config = dict(_delete_=True, grad_clip=dict(max_norm=1, norm_type=2))
