_base_ = "panoptic_fpn_r50_fpn_3x_pan_seg_bdd100k.py"
lr_config = dict(step=[40, 55])
runner = dict(max_epochs=60)
