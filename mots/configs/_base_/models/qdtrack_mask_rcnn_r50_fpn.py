# QDTrack with a mask head: what PCAN begins with.
_base_ = "../../../../mot/configs/_base_/models/qdtrack_faster_rcnn_r50_fpn.py"
model = dict(
    rpn_head=dict(loss_bbox=dict(beta=1.0)),
    roi_head=dict(
        mask_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        mask_head=dict(
            type="FCNMaskHead",
            num_convs=4,
            in_channels=256,
            conv_out_channels=256,
            num_classes=8,
            loss_mask=dict(type="CrossEntropyLoss", use_mask=True, loss_weight=1.0),
        ),
        track_head=dict(loss_track_aux=dict(neg_margin=0.3)),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(score_thr=0.5, mask_thr_binary=0.5)),
)
