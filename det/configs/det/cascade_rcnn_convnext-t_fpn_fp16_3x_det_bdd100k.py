_base_ = [
    "../_base_/models/cascade_rcnn_convnext-t_fpn.py",
    "../_base_/datasets/bdd100k_det_mstrain.py",
    "../_base_/schedules/convnext_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
fp16 = dict(loss_scale=dict(init_scale=512))
