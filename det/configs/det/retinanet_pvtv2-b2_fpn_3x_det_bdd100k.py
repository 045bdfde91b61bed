_base_ = "retinanet_pvtv2-b1_fpn_3x_det_bdd100k.py"
model = dict(
    backbone=dict(
        num_layers=[3, 4, 6, 3],
        init_cfg=dict(
            checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_v2_b2.pth",
        ),
    ),
)
