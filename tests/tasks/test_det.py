"""det: true boxes come out as a file that the official evaluator finds perfect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import Converter, ImageRecord
from bdd100k_models.tasks.det import flatten_boxes
from bdd100k_models.zoo import classes

CONFIG = "faster_rcnn_r50_fpn_1x_det_bdd100k"


class Oracle(nn.Module):
    """Gives the true boxes of a picture, called as MMDetection's models are."""

    def __init__(self, boxes: dict[str, list[np.ndarray]]) -> None:
        super().__init__()
        self.boxes = boxes

    def forward(
        self,
        img: list[Any],
        img_metas: list[list[dict[str, Any]]],
        return_loss: bool,
        rescale: bool,
    ) -> list[list[np.ndarray]]:
        assert not return_loss and rescale
        return [self.boxes[Path(meta["filename"]).name] for meta in img_metas[0]]


def det_converter(names: tuple[str, ...] = classes.DET) -> Converter:
    task = get_task("det")
    return task.converter(load_config(CONFIG), task.options(), names)


def true_boxes(labels: Path) -> dict[str, list[np.ndarray]]:
    """x1 y1 x2 y2 score for each class; Scalabel's x2 is the last pixel, MMDetection's the edge."""
    found = {}
    for frame in json.loads(labels.read_text()):
        per_class: list[list[list[float]]] = [[] for _ in classes.DET]
        for label in frame["labels"] or []:
            if label["category"] in classes.DET:
                box = label["box2d"]
                corners = [box["x1"], box["y1"], box["x2"] + 1, box["y2"] + 1, 0.9]
                per_class[classes.DET.index(label["category"])].append(corners)
        found[frame["name"]] = [np.array(b, np.float32).reshape(-1, 5) for b in per_class]
    return found


def test_truth_scores_perfectly(mini_root: Path, run_task: Any, official_scores: Any) -> None:
    labels = mini_root / "labels" / "det_20" / "det_val.json"
    task = get_task("det")
    task.register()
    cfg = load_config(CONFIG, data_root=mini_root)
    out = run_task(task, cfg, Oracle(true_boxes(labels)))
    scores = official_scores("det", labels, out / "det.json")
    present = [value for value in scores["AP"][0].values() if value == value and value is not None]
    assert present and all(abs(value - 100) < 1e-9 for value in present)
    converter = task.converter(cfg, task.options(), task.classes)
    assert task.evaluate(converter, out, mini_root, "val", None, 1).summary["AP"] == 100.0


def test_exact_frame() -> None:
    result = [np.zeros((0, 5), np.float32) for _ in classes.DET]
    result[2] = np.array([[10, 20, 30, 50, 0.5]], np.float32)
    result[9] = np.array([[0, 0, 1, 1, 0.25]], np.float32)
    prediction = det_converter()(result, ImageRecord(0, "a/b.jpg", "/x/a/b.jpg"))
    assert prediction.entries["det"] == {
        "name": "a/b.jpg",
        "labels": [
            {
                "category": "car",
                "score": 0.5,
                "box2d": {"x1": 10.0, "y1": 20.0, "x2": 29.0, "y2": 49.0},
            },
            {
                "category": "traffic sign",
                "score": 0.25,
                "box2d": {"x1": 0.0, "y1": 0.0, "x2": 0.0, "y2": 0.0},
            },
        ],
    }


def test_an_image_without_boxes_has_its_frame() -> None:
    result = [np.zeros((0, 5), np.float32) for _ in classes.DET]
    prediction = det_converter()(result, ImageRecord(0, "x.jpg", "x.jpg"))
    assert prediction.entries["det"] == {"name": "x.jpg", "labels": []}


def test_own_classes_name_the_results() -> None:
    names = ("tram", "cow")
    result = [np.array([[1, 1, 9, 9, score]], np.float32) for score in (0.5, 0.25)]
    prediction = det_converter(names)(result, ImageRecord(0, "x.jpg", "x.jpg"))
    assert [label["category"] for label in prediction.entries["det"]["labels"]] == ["tram", "cow"]


def test_classes_of_a_checkpoint_name_a_run(mini_root: Path, run_task: Any) -> None:
    task = get_task("det")
    task.register()
    names = tuple(f"kind {number}" for number in range(10))
    truth = true_boxes(mini_root / "labels" / "det_20" / "det_val.json")
    cfg = load_config(CONFIG, data_root=mini_root)
    out = run_task(task, cfg, Oracle(truth), classes=names)
    frames = json.loads((out / "det.json").read_text())["frames"]
    assert any(frame["labels"] for frame in frames)
    for frame in frames:
        wanted = [
            name
            for name, boxes in zip(names, truth[frame["name"]], strict=True)
            for _ in range(len(boxes))
        ]
        assert [label["category"] for label in frame["labels"]] == wanted


def test_nothing() -> None:
    prediction = det_converter().nothing(ImageRecord(0, "a/x.jpg", "x.jpg"), 720, 1280)
    assert prediction.entries == {"det": {"name": "a/x.jpg", "labels": []}}
    assert prediction.pictures == {}


def test_arrays() -> None:
    result = [np.zeros((0, 5), np.float32) for _ in classes.DET]
    empty = det_converter().arrays(result)
    assert {name: array.shape for name, array in empty.items()} == {
        "boxes": (0, 4),
        "scores": (0,),
        "classes": (0,),
    }
    result[2] = np.array([[10, 20, 30, 50, 0.5], [1, 2, 3, 4, 0.25]], np.float32)
    result[9] = np.array([[0, 0, 1, 1, 0.75]], np.float32)
    found = det_converter().arrays(result)
    dtypes = {"boxes": np.float32, "scores": np.float32, "classes": np.int64}
    for arrays in (found, empty):
        assert {name: array.dtype for name, array in arrays.items()} == dtypes
    assert found["boxes"].tolist() == [[10, 20, 30, 50], [1, 2, 3, 4], [0, 0, 1, 1]]
    assert found["scores"].tolist() == [0.5, 0.25, 0.75]
    assert found["classes"].tolist() == [2, 2, 9]


def test_flatten_boxes_keeps_the_order_of_classes() -> None:
    boxes, scores, labels = flatten_boxes([np.ones((2, 5)), np.zeros((0, 5)), np.full((1, 5), 3)])
    assert boxes.shape == (3, 4)
    assert scores.tolist() == [1, 1, 3]
    assert labels.tolist() == [0, 0, 2]
