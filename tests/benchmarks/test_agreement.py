"""How far two results are apart, on results made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bdd100k_models.benchmarks.agreement import disagreement

BOXES = np.array([[0, 0, 10, 10], [50, 50, 70, 90], [5, 5, 9, 9]], dtype=np.float32)


def detections(boxes: np.ndarray = BOXES, scores: tuple[float, ...] = (0.9, 0.8, 0.1)) -> dict:
    return {"boxes": boxes, "scores": np.array(scores), "classes": np.array([0, 1, 1])}


def test_maps() -> None:
    left, right = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    right[0, :2] = 3
    share, what = disagreement({"class_map": left}, {"class_map": right})
    assert (share, what) == (pytest.approx(0.1), "of the pixels differ")


def test_scores_alone() -> None:
    share, _ = disagreement({"scores": np.array([0.2, 0.8])}, {"scores": np.array([0.25, 0.75])})
    assert share == pytest.approx(0.05)
    lost, _ = disagreement({"scores": np.array([np.nan, 0.8])}, {"scores": np.array([0.2, 0.8])})
    assert lost == np.inf


@pytest.mark.parametrize(
    ("boxes", "scores", "share"),
    [
        (BOXES + 0.1, (0.9, 0.8, 0.1), 0.0),
        (BOXES, (0.9, 0.6, 0.1), 0.5),  # both sides lack a partner for the second
        (BOXES, (0.9, 0.8, 0.2), 0.0),  # nobody looks at the third
        (BOXES + np.array([[0], [9], [0]]) * [1, 0, 1, 0], (0.9, 0.8, 0.1), 0.5),
    ],
)
def test_boxes(boxes: np.ndarray, scores: tuple[float, ...], share: float) -> None:
    found = disagreement(detections(boxes, scores), detections())
    assert found == (share, "of 4 findings have no partner")


def test_masks_decide_where_there_are_some() -> None:
    masks = np.zeros((3, 8, 8), dtype=bool)
    masks[:, :4] = True
    other = masks.copy()
    other[0] = ~other[0]
    assert (
        disagreement({**detections(), "masks": other}, {**detections(), "masks": masks})[0] == 0.5
    )


def test_keypoints() -> None:
    poses = np.zeros((2, 4, 3))
    poses[1] += 100
    moved = poses[::-1].copy()  # the order is no difference
    moved[0, 0, 0] += 5
    assert disagreement({"keypoints": moved}, {"keypoints": poses})[0] == pytest.approx(1 / 8)
    assert disagreement({"keypoints": poses[:0]}, {"keypoints": poses})[0] == 1.0
    assert disagreement({"keypoints": poses[:0]}, {"keypoints": poses[:0]})[0] == 0.0


def test_nothing_found_by_both() -> None:
    empty = {"boxes": BOXES[:0], "scores": np.zeros(0), "classes": np.zeros(0, int)}
    assert disagreement(empty, empty)[0] == 0.0
    assert disagreement(empty, detections())[0] == 1.0
