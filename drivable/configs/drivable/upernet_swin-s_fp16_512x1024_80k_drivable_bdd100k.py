_base_ = "./upernet_swin-s_512x1024_80k_drivable_bdd100k.py"
optimizer_config = dict(type="Fp16OptimizerHook", loss_scale="dynamic")
fp16 = dict()
