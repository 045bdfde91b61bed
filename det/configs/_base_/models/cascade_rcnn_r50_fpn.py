_base_ = ["faster_rcnn_r50_fpn.py", "cascade.py"]
model = dict(
    type="CascadeRCNN",
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
