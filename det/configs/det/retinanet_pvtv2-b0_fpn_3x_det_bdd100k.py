_base_ = [
    "../_base_/models/retinanet_pvtv2-b0_fpn.py",
    "../_base_/datasets/bdd100k_det_mstrain.py",
    "../_base_/schedules/pvt_3x.py",
    "../../../configs/_base_/default_runtime.py",
]
data = dict(samples_per_gpu=2, workers_per_gpu=2)
