"""Boxes of people out of det.json, annotations and detections."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.tasks.pose_boxes import (
    PersonBox,
    annotated_boxes,
    detected_boxes,
    predicted_boxes,
)

BOX = {"x1": 10.0, "y1": 20.0, "x2": 29.0, "y2": 59.0}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def label(category: str = "pedestrian", score: float | None = 0.5, **box: Any) -> dict[str, Any]:
    return {"category": category, "score": score, "box2d": BOX | box}


@pytest.mark.parametrize("bare", [True, False])
def test_boxes_of_a_det_json(tmp_path: Path, bare: bool) -> None:
    frames: list[dict[str, Any]] = [
        {
            "name": "a.jpg",
            "labels": [
                label(),
                label("rider", score=0.9),
                label("car"),
                label(score=0.1),
                label(score=None),
                label(x2=8.0),  # no inside
                {"category": "pedestrian", "score": 1.0},  # no box
            ],
        },
        {"name": "b.jpg", "labels": None},
    ]
    path = write(tmp_path / "det.json", frames if bare else {"frames": frames})
    assert predicted_boxes(path, ("pedestrian",), 0.2) == {
        "a.jpg": (PersonBox(10, 20, 20, 40, 0.5), PersonBox(10, 20, 20, 40, 1.0)),
        "b.jpg": (),
    }
    assert len(predicted_boxes(path, ("pedestrian", "rider"), 0.0)["a.jpg"]) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": []}, "boxes of people .*det.json is not in Scalabel form"),
        ([{"labels": []}], "frame 0 has no 'name'"),
        ([], "has no frames"),
        ([{"name": "a", "labels": [1]}], "'labels' of frame 'a' is not a list of labels"),
        (
            [{"name": "a", "labels": [label(), label(x1="left")]}],
            "det.json: label 1 of frame 'a': x1 of 'box2d' is text, not a number",
        ),
        (
            [{"name": "a", "labels": [{"category": "pedestrian", "box2d": {"x1": 1}}]}],
            "label 0 of frame 'a': y1 of 'box2d' is null, not a number",
        ),
    ],
)
def test_a_det_json_that_is_none(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        predicted_boxes(write(tmp_path / "det.json", content), ("pedestrian",), 0.0)


def test_annotated_boxes(tmp_path: Path) -> None:
    def person(image: int, **more: Any) -> dict[str, Any]:
        return {"image_id": image, "bbox": [1, 2, 3, 4], "keypoints": [5, 5, 2], **more}

    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg"},
            {"id": 2, "file_name": "b.jpg"},
            {"id": 3, "file_name": "c.jpg", "width": 100, "height": 50},
        ],
        "annotations": [
            person(1),
            person(1, iscrowd=1),
            person(1, area=0),
            person(3, bbox=[90, 40, 10, 10]),
            person(3, bbox=[-5, 10, 20, 10]),
            person(1, keypoints=[0, 0, 0]),
            person(1, bbox=[1, 2, 0, 4]),
        ],
    }
    found = annotated_boxes(write(tmp_path / "pose.json", content))
    assert found == {
        "a.jpg": (PersonBox(1, 2, 3, 4, 1.0),),
        "b.jpg": (),
        "c.jpg": (PersonBox(90, 40, 9, 9, 1.0), PersonBox(0, 10, 20, 10, 1.0)),
    }


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"images": []},
        {"images": None, "annotations": []},
        {"images": [{}], "annotations": []},
        {"images": [], "annotations": [[1]]},
    ],
)
def test_annotations_of_another_form(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match=r"is not COCO JSON of poses .*tools/prepare_data\.py"):
        annotated_boxes(write(tmp_path / "pose.json", content))


def test_detected_boxes() -> None:
    boxes = np.array([[1, 2, 4, 6], [1, 2, 4, 6], [1, 2, 4, 6], [4, 2, 4, 6]], np.float32)
    scores = np.array([0.5, 0.1, 0.9, 0.9], np.float32)
    names = ["pedestrian", "pedestrian", "car", "pedestrian"]
    assert detected_boxes(boxes, scores, names, ("pedestrian",), 0.2) == (
        PersonBox(1, 2, 3, 4, 0.5),
    )
