_base_ = "./upernet_swin-t_512x1024_80k_sem_seg_bdd100k.py"
runner = dict(max_iters=40000)
evaluation = dict(interval=50000)
