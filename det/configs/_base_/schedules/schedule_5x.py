_base_ = "../../../../configs/_base_/schedules/schedule_1x.py"
lr_config = dict(step=[48, 55])
runner = dict(max_epochs=60)
