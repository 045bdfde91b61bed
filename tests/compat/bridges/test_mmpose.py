"""Heads of MMPose decode on any numpy."""

from typing import Any

import numpy as np
import pytest
from mmpose.models.heads import DeepposeRegressionHead, TopdownHeatmapSimpleHead

METAS = [
    {
        "image_file": f"{score}.jpg",
        "center": np.array([100.0, 80.0]),
        "scale": np.array([1.0, 1.5]),
        "bbox_id": number,
        **({} if score is None else {"bbox_score": score}),
    }
    for number, score in enumerate([0.25, np.float32(0.5), np.array([0.75]), None])
]


@pytest.mark.parametrize(
    ("head", "output"),
    [
        (
            TopdownHeatmapSimpleHead(
                in_channels=4,
                out_channels=3,
                num_deconv_layers=0,
                extra={"final_conv_kernel": 1},
                loss_keypoint={"type": "JointsMSELoss", "use_target_weight": True},
                test_cfg={},
            ),
            np.random.default_rng(0).random((4, 3, 16, 12), np.float32),
        ),
        (
            DeepposeRegressionHead(
                in_channels=4,
                num_joints=3,
                loss_keypoint={"type": "SmoothL1Loss", "use_target_weight": True},
            ),
            np.random.default_rng(0).random((4, 3, 2), np.float32),
        ),
    ],
    ids=["heat maps", "regression"],
)
def test_scores_of_boxes_are_kept(head: Any, output: np.ndarray) -> None:
    result = head.decode(METAS, output, img_size=[48, 64])
    assert result["boxes"][:, 5].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert result["preds"].shape == (4, 3, 3)
    assert result["bbox_ids"] == [0, 1, 2, 3]
    assert "bbox_score" in METAS[0]
