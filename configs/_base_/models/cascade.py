"""What makes a cascade of a two-stage detector; its classes are for the task to say."""

cascade = dict(
    rpn_head=dict(loss_bbox=dict(type="SmoothL1Loss", beta=1.0 / 9.0)),
    rpn=dict(allowed_border=0),
    rpn_proposal=dict(max_per_img=2000),
    loss_weights=[1, 0.5, 0.25],
    **{
        stage: dict(
            head=dict(
                type="Shared2FCBBoxHead",
                in_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                bbox_coder=dict(
                    type="DeltaXYWHBBoxCoder", target_means=[0.0, 0.0, 0.0, 0.0], target_stds=stds
                ),
                reg_class_agnostic=True,
                loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
            ),
            rcnn=dict(
                assigner=dict(
                    type="MaxIoUAssigner",
                    pos_iou_thr=iou,
                    neg_iou_thr=iou,
                    min_pos_iou=iou,
                    match_low_quality=False,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(
                    type="RandomSampler",
                    num=512,
                    pos_fraction=0.25,
                    neg_pos_ub=-1,
                    add_gt_as_proposals=True,
                ),
                pos_weight=-1,
                debug=False,
            ),
        )
        for stage, stds, iou in (
            ("first", [0.1, 0.1, 0.2, 0.2], 0.5),
            ("second", [0.05, 0.05, 0.1, 0.1], 0.6),
            ("third", [0.033, 0.033, 0.067, 0.067], 0.7),
        )
    },
)
