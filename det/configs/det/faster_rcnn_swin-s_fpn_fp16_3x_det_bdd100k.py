_base_ = "faster_rcnn_swin-s_fpn_3x_det_bdd100k.py"
fp16 = dict(loss_scale=dict(init_scale=512))
