_base_ = "./schedule_5x.py"
lr_config = dict(step=[24, 36])
runner = dict(max_epochs=48)
