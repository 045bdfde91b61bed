_base_ = "../../../../configs/_base_/models/cascade.py"
cascade = {stage: dict(head=dict(num_classes=10)) for stage in ("first", "second", "third")}
