_base_ = "swin_1x.py"
lr_config = dict(step=[27, 33])
runner = dict(max_epochs=36)
