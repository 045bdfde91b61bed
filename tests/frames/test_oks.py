"""Scores of poses and the suppression of repeated ones."""

import numpy as np
import pytest

from bdd100k_models.frames.oks import oks, oks_nms, pose_scores

SIGMAS = np.array([0.079, 0.107])


@pytest.mark.parametrize(
    ("points", "box_score", "expected"),
    [
        ([0.5, 0.7], 1.0, 0.6),
        ([0.5, 0.7], 0.5, 0.3),
        ([0.8, 0.2], 1.0, 0.8),  # the threshold itself does not count
        ([0.1, 0.0], 1.0, 0.0),
    ],
)
def test_pose_scores(points: list[float], box_score: float, expected: float) -> None:
    assert pose_scores(np.array([points]), np.array([box_score])) == pytest.approx([expected])


def test_pose_scores_of_nobody() -> None:
    assert pose_scores(np.zeros((0, 18)), np.zeros(0)).shape == (0,)


def test_oks_of_one_keypoint_off() -> None:
    pose = np.array([[0.0, 0.0], [10.0, 10.0]])
    other = np.array([[3.0, 4.0], [10.0, 10.0]])
    expected = (np.exp(-25 / (0.158**2) / 1000 / 2) + 1) / 2
    found = oks(pose, other[None], 900.0, np.array([1100.0]), SIGMAS)
    assert found == pytest.approx([expected])


def test_repeated_poses_go_and_the_best_comes_first() -> None:
    pose = np.array([[0.0, 0.0], [50.0, 100.0]])
    keypoints = np.stack([pose, pose + 0.5, pose + 300])
    areas = np.full(3, 10_000.0)
    assert oks_nms(keypoints, np.array([0.3, 0.9, 0.5]), areas, SIGMAS).tolist() == [1, 2]


def test_equal_scores_keep_their_order() -> None:
    keypoints = np.arange(12, dtype=float).reshape(3, 2, 2) * 1000
    assert oks_nms(keypoints, np.ones(3), np.ones(3), SIGMAS).tolist() == [0, 1, 2]


def test_nothing_to_suppress() -> None:
    assert oks_nms(np.zeros((0, 2, 2)), np.zeros(0), np.zeros(0), SIGMAS).tolist() == []


def test_agrees_with_mmpose() -> None:
    from mmpose.core.post_processing import oks_nms as mmpose_oks_nms

    rng = np.random.default_rng(0)
    sigmas = rng.uniform(0.05, 0.12, 18)
    people = rng.uniform(0, 700, (12, 18, 2))
    keypoints = np.concatenate([people, people + rng.normal(0, 4, people.shape)])
    scores = rng.uniform(0, 1, 24)
    areas = rng.uniform(2_000, 20_000, 24)
    reference = [
        {"keypoints": np.c_[points, np.ones(18)], "score": score, "area": area}
        for points, score, area in zip(keypoints, scores, areas, strict=True)
    ]
    for threshold in (0.3, 0.6, 0.9):
        found = oks_nms(keypoints, scores, areas, sigmas, threshold)
        expected = mmpose_oks_nms(reference, threshold, sigmas=sigmas)
        assert found.tolist() == expected.tolist()
        assert threshold == 0.9 or len(found) < 24
