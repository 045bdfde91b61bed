_base_ = "cascade_rcnn_convnext-t_fpn_fp16_3x_det_bdd100k.py"
# As published: ConvNeXt-T under the name of ConvNeXt-S, with the layer decay of ConvNeXt-S.
optimizer = dict(paramwise_cfg=dict(num_layers=12))
