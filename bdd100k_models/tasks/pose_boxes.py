"""Boxes of people, which a pose is estimated in: from a det.json, or from annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels, read_frames


class PersonBox(NamedTuple):
    """A box around a person: left, top, width and height in pixels, and its score."""

    x: float
    y: float
    width: float
    height: float
    score: float


def predicted_boxes(
    path: Path, categories: Collection[str], threshold: float
) -> dict[str, tuple[PersonBox, ...]]:
    """Boxes of a ``det.json`` by frame name, as Scalabel defines them: width = x2 - x1 + 1.

    Args:
        path: Scalabel JSON, ``{"frames": [...]}`` or a bare list of frames.
        categories: boxes of other categories are left out.
        threshold: boxes with a lower score are left out; a box without a score counts as 1.

    Raises:
        UserError: not there, not Scalabel JSON, without frames, or a box that lacks a corner.
    """
    frames = read_frames(path, "boxes of people")
    check_labels(frames, f"boxes of people {path}")
    return {
        frame["name"]: tuple(_frame_boxes(frame, set(categories), threshold)) for frame in frames
    }


def _frame_boxes(frame: Frame, categories: set[str], threshold: float) -> Iterable[PersonBox]:
    for label in frame.get("labels") or ():
        box, score = label.get("box2d"), label.get("score")
        score = 1.0 if score is None else float(score)
        if box is None or label.get("category") not in categories or score < threshold:
            continue
        x1, y1, x2, y2 = (float(box[key]) for key in ("x1", "y1", "x2", "y2"))
        yield from _proper([PersonBox(x1, y1, x2 - x1 + 1, y2 - y1 + 1, score)])


def annotated_boxes(path: Path) -> dict[str, tuple[PersonBox, ...]]:
    """Boxes of the people with keypoints in a COCO annotation file, by file name; score 1.

    As MMPose's ``TopDownCocoDataset`` has it: crowds, people of whom no keypoint is annotated, and
    those with an area of 0 are left out, and boxes end at the last pixel of the picture.

    Raises:
        UserError: not there, or not COCO JSON.
    """
    content = read_json(path)
    try:
        images = {image["id"]: image for image in content["images"]}
        found: dict[str, list[PersonBox]] = {image["file_name"]: [] for image in images.values()}
        for annotation in content["annotations"]:
            if (
                annotation.get("iscrowd")
                or not any(annotation.get("keypoints") or ())
                or annotation.get("area", 1) <= 0
            ):
                continue
            image = images[annotation["image_id"]]
            box = _within(annotation["bbox"], image.get("width"), image.get("height"))
            found[image["file_name"]] += _proper([box])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not COCO JSON of poses ({error!r}); run tools/prepare_data.py"
        ) from None
    return {name: tuple(boxes) for name, boxes in found.items()}


def _within(box: Sequence[Any], width: float | None, height: float | None) -> PersonBox:
    """A COCO box cut at the borders of a picture, where its size is known."""
    x, y, w, h = (float(value) for value in box)
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = left + max(0.0, w), top + max(0.0, h)
    if width is not None and height is not None:
        right, bottom = min(width - 1.0, right), min(height - 1.0, bottom)
    return PersonBox(left, top, right - left, bottom - top, 1.0)


def detected_boxes(
    boxes: np.ndarray, scores: np.ndarray, names: list[str], categories: Collection[str], thr: float
) -> tuple[PersonBox, ...]:
    """Boxes that a detector gave for one image.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels.
        scores: (N,).
        names: N category names.
        categories: boxes of other categories are left out.
        thr: boxes with a lower score are left out.
    """
    found = [
        PersonBox(x1, y1, x2 - x1, y2 - y1, score)
        for (x1, y1, x2, y2), score, name in zip(
            np.asarray(boxes, np.float64).tolist(),
            np.asarray(scores, np.float64).tolist(),
            names,
            strict=True,
        )
        if name in categories and score >= thr
    ]
    return tuple(_proper(found))


def _proper(boxes: Iterable[PersonBox]) -> list[PersonBox]:
    """Those that have an inside and finite corners."""
    return [box for box in boxes if box.width > 0 and box.height > 0 and np.isfinite(box).all()]
