__joints = list(range(18))

data_cfg = dict(
    image_size=[192, 256],
    heatmap_size=[48, 64],
    num_joints=18,
    num_output_channels=18,
    dataset_channel=[__joints],
    inference_channel=__joints,
    crowd_matching=False,
    soft_nms=False,
    nms_thr=1.0,
    oks_thr=0.9,
    vis_thr=0.2,
    use_gt_bbox=False,
    det_bbox_thr=0.0,
    bbox_file="data/bdd100k/labels/person_det_for_bdd100k_val.json",
)
