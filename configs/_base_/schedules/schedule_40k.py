"""40,000 iterations of SGD with a polynomial learning rate, for sem_seg and drivable."""

cudnn_benchmark = True
optimizer = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=0.0005)
optimizer_config = dict()
lr_config = dict(policy="poly", power=0.9, min_lr=1e-4, by_epoch=False)
runner = dict(type="IterBasedRunner", max_iters=40000)
evaluation = dict(interval=50000, metric="mIoU")
