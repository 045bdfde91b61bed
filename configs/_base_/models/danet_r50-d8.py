_base_ = "./resnet50-d8.py"
model = dict(decode_head=dict(type="DAHead", pam_channels=64))
