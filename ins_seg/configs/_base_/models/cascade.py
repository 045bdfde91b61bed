_base_ = "../../../../configs/_base_/models/cascade.py"
cascade = {
    stage: dict(head=dict(num_classes=8), rcnn=dict(mask_size=28))
    for stage in ("first", "second", "third")
}
