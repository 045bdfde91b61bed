_base_ = "./resnet50-d8.py"
model = dict(decode_head=dict(type="DMHead", filter_sizes=(1, 3, 5, 7)))
