# Four tenths of the size of the pictures.
_base_ = "../../../configs/_base_/datasets/detector_steps.py"
pipeline_steps = dict(resize=dict(img_scale=(512, 288)), test=dict(img_scale=(512, 288)))
