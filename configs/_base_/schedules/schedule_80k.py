_base_ = "./schedule_40k.py"
runner = dict(max_iters=80000)
evaluation = dict(interval=90000)
