_base_ = "qdtrack_mask_rcnn_r50_fpn.py"
model = dict(
    type="PCAN",
    channels=256,
    proto_num=30,
    stage_num=3,
    carry_prototypes=False,
    roi_head=dict(
        type="PrototypeRoIHead",
        refine_head=dict(
            type="PrototypeRefineHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            pos_proto_num=10,
            neg_proto_num=10,
            stage_num=6,
            match_score_thr=0.5,
            loss_mask=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),
        ),
    ),
)
