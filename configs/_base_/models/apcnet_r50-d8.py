_base_ = "./resnet50-d8.py"
model = dict(decode_head=dict(type="APCHead", pool_scales=(1, 2, 3, 6)))
