"""Boxes of one image as Scalabel labels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Label


def detection_labels(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    categories: Sequence[str],
) -> list[Label]:
    """Labels with ``category``, ``score`` and ``box2d``, in the order given.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels.
        scores: (N,).
        labels: (N,), indices into ``categories``.
        categories: class names in the order of the model's outputs.

    Raises:
        ValueError: lengths differ, a label is not an index of a category, a number is not finite.
    """
    corners = box2d_corners(boxes)
    names = category_names(labels, categories)
    score_list = finite_scores(scores)
    if not len(corners) == len(score_list) == len(names):
        raise ValueError(f"{len(corners)} boxes, {len(score_list)} scores, {len(names)} labels")
    return [
        {
            "category": name,
            "score": score,
            "box2d": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
        }
        for name, score, (x1, y1, x2, y2) in zip(names, score_list, corners.tolist(), strict=True)
    ]


def box2d_corners(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The x1 y1 x2 y2 of Scalabel's Box2D, whose x2 and y2 are the last pixels inside.

    Same arithmetic as ``scalabel.label.transforms.bbox_to_box2d([x1, y1, x2 - x1, y2 - y1])``.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels.

    Raises:
        ValueError: another shape, or a coordinate that is not finite.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"expected boxes of shape (N, 4), got {boxes.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError("a box has a coordinate that is not finite")
    corners = boxes.copy()
    corners[:, 2:] = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) - 1
    return corners


def category_names(labels: NDArray[np.integer], categories: Sequence[str]) -> list[str]:
    """Names of class indices.

    Raises:
        ValueError: a label is not an index of a category.
    """
    indices = np.asarray(labels).reshape(-1).tolist()
    for index in indices:
        if not 0 <= index < len(categories):
            raise ValueError(f"class index {index} is outside of {len(categories)} categories")
    return [categories[index] for index in indices]


def finite_scores(scores: NDArray[np.floating]) -> list[float]:
    """Scores as Python floats.

    Raises:
        ValueError: a score is not finite; JSON has no such numbers.
    """
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    values: list[float] = scores.tolist()
    return values
