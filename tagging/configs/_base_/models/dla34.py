_base_ = "./vgg11.py"
model = dict(
    backbone=dict(
        _delete_=True,
        type="DLA",
        levels=[1, 1, 1, 2, 2, 1],
        channels=[16, 32, 64, 128, 256, 512],
        block="BasicBlock",
        num_classes=7,
    )
)
# Some trees own a projection that their forward pass never uses.
find_unused_parameters = True
