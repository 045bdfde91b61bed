import json
from collections.abc import Callable

import numpy as np
import pytest
from scalabel.label.transforms import bbox_to_box2d, box2d_to_xyxy

from bdd100k_models.frames.detection import detection_labels


def test_exact_json() -> None:
    labels = detection_labels(
        boxes=np.array([[10.5, 20.25, 30.5, 41.25], [0, 0, 1, 1]], dtype=np.float32),
        scores=np.array([0.5, 0.75], dtype=np.float32),
        labels=np.array([1, 0]),
        categories=("pedestrian", "car"),
    )
    assert json.dumps(labels) == (
        '[{"category": "car", "score": 0.5, '
        '"box2d": {"x1": 10.5, "y1": 20.25, "x2": 29.5, "y2": 40.25}}, '
        '{"category": "pedestrian", "score": 0.75, '
        '"box2d": {"x1": 0.0, "y1": 0.0, "x2": 0.0, "y2": 0.0}}]'
    )


def test_box2d_is_scalabels_own_conversion() -> None:
    boxes = np.random.default_rng(0).uniform(0, 1280, (50, 4)).astype(np.float32)
    labels = detection_labels(boxes, np.ones(50), np.zeros(50, dtype=int), ["car"])
    for box, label in zip(boxes.astype(np.float64).tolist(), labels, strict=True):
        x1, y1, x2, y2 = box
        official = bbox_to_box2d([x1, y1, x2 - x1, y2 - y1])
        assert label["box2d"] == official.dict()
        assert box2d_to_xyxy(official) == pytest.approx(box)


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.zeros(0), []])
def test_no_boxes(boxes: np.ndarray | list) -> None:
    assert detection_labels(boxes, np.zeros(0), np.zeros(0, dtype=int), ["car"]) == []


def test_official_loader(official_load: Callable) -> None:
    labels = detection_labels(
        np.array([[1.0, 2, 3, 4]]), np.array([0.25]), np.array([0]), ["traffic light"]
    )
    full, empty = official_load(
        [{"name": "a.jpg", "labels": labels}, {"name": "b.jpg", "labels": []}]
    )
    assert (full.labels[0].category, full.labels[0].score) == ("traffic light", 0.25)
    assert full.labels[0].box2d.dict() == {"x1": 1, "y1": 2, "x2": 2, "y2": 3}
    assert empty.labels == []


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "message"),
    [
        ([[0, 0, 1, 1]], [0.5, 0.5], [0], "1 boxes, 2 scores, 1 labels"),
        ([[0, 0, 1, 1]], [0.5], [0, 0], "1 boxes, 1 scores, 2 labels"),
        ([[0, 0, 1, 1]], [0.5], [1], "class index 1 is outside of 1 categories"),
        ([[0, 0, 1, 1]], [0.5], [-1], "class index -1 is outside of 1 categories"),
        ([[0, 0, 1]], [0.5], [0], r"expected boxes of shape \(N, 4\), got \(1, 3\)"),
        ([[0, 0, 1, np.nan]], [0.5], [0], "a box has a coordinate that is not finite"),
        ([[0, 0, 1, 1]], [np.inf], [0], "a score is not finite"),
    ],
)
def test_bad_input(boxes: list, scores: list, labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detection_labels(np.array(boxes), np.array(scores), np.array(labels), ["car"])
