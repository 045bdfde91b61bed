# Three stages of boxes, one mask head for all of them.
_base_ = ["../../../../configs/_base_/models/mask_rcnn_r50_fpn.py", "cascade.py"]
model = dict(
    type="CascadeRCNN",
    backbone=dict(init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50")),
    rpn_head={{_base_.cascade.rpn_head}},
    roi_head=dict(
        type="CascadeRoIHead",
        num_stages=3,
        stage_loss_weights={{_base_.cascade.loss_weights}},
        bbox_head=[
            {{_base_.cascade.first.head}},
            {{_base_.cascade.second.head}},
            {{_base_.cascade.third.head}},
        ],
        mask_head=dict(num_classes=8),
    ),
    train_cfg=dict(
        rpn={{_base_.cascade.rpn}},
        rpn_proposal={{_base_.cascade.rpn_proposal}},
        rcnn=[
            {{_base_.cascade.first.rcnn}},
            {{_base_.cascade.second.rcnn}},
            {{_base_.cascade.third.rcnn}},
        ],
    ),
)
