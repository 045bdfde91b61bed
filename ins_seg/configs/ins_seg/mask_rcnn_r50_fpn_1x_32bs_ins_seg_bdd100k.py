# Reconstructed: published without a config; 32 images a step, the rate scaled linearly.
_base_ = "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k.py"
data = dict(samples_per_gpu=4)
optimizer = dict(lr=0.04)
