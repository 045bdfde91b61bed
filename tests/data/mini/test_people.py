"""The joints of figures."""

from __future__ import annotations

import numpy as np

from bdd100k_models.data.mini.people import riding_joints, standing_joints
from bdd100k_models.data.mini.scene import Gait
from bdd100k_models.zoo.classes import POSE_KEYPOINTS


def _joints(gait: Gait) -> dict[str, np.ndarray]:
    return dict(zip(POSE_KEYPOINTS, standing_joints(1.8, gait), strict=True))


def test_a_standing_person_is_upright_and_symmetric() -> None:
    joints = _joints(Gait(stride=0.0, bend=0.0))
    up = [joints[name][1] for name in ("head", "neck", "right_hip", "right_knee", "right_ankle")]
    assert up == sorted(up, reverse=True)
    assert 1.6 < joints["head"][1] < 1.8
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "hand", "foot"):
        right, left = joints[f"right_{name}"], joints[f"left_{name}"]
        np.testing.assert_allclose(right * (-1, 1, 1), left, atol=1e-12)
        assert right[0] > 0


def test_a_stride_moves_legs_and_arms_against_each_other() -> None:
    joints = _joints(Gait(stride=0.5, bend=0.1))
    assert joints["right_ankle"][2] > joints["left_ankle"][2]
    assert joints["right_hand"][2] < joints["left_hand"][2]


def test_a_lifted_arm_is_above_the_head() -> None:
    joints = _joints(Gait(left_lift=2.2))
    assert joints["left_hand"][1] > joints["head"][1]
    assert joints["right_hand"][1] < joints["neck"][1]


def test_a_rider_sits_on_the_seat_and_holds_the_grips() -> None:
    joints = dict(zip(POSE_KEYPOINTS, riding_joints((0.9, -0.2), (1.1, 0.3), 0.2), strict=True))
    hips = (joints["right_hip"] + joints["left_hip"]) / 2
    hands = (joints["right_hand"] + joints["left_hand"]) / 2
    np.testing.assert_allclose(hips, [0.0, 0.9, -0.2])
    np.testing.assert_allclose(hands, [0.0, 1.1, 0.3])
