_base_ = "./fpn_r50.py"
model = dict(decode_head=dict(norm_cfg=dict(type="GN", num_groups=32)))
