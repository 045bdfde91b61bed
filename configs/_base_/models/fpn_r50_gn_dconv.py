_base_ = "./fpn_r50_gn.py"
model = dict(decode_head=dict(conv_cfg=dict(type="DCNv2")))
