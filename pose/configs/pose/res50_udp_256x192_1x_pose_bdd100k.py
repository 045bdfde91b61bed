_base_ = [
    "../_base_/datasets/bdd100k_256x192_udp.py",
    "../_base_/models/res50.py",
    "../_base_/schedules/schedule_1x.py",
    "../../../configs/_base_/default_runtime.py",
]

model = dict(test_cfg=dict(shift_heatmap=False, target_type={{_base_.target_type}}, use_udp=True))
