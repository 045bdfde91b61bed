"""Scores of image tagging: the zoo's own columns, and what scalabel's evaluator needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bdd100k_models.errors import UserError
from bdd100k_models.zoo import tasks

if TYPE_CHECKING:
    from scalabel.label.typing import Config

#: Attribute of a frame -> its values, in the order of the published weights.
TAGS = tasks.facts("tagging").tags


def tagging_metrics(
    scores: npt.ArrayLike, targets: npt.ArrayLike, top_k: tuple[int, ...] = (1, 5)
) -> dict[str, float]:
    """Accuracy, precision, recall and F1 as ``mmcls`` 0.25 defines them, in percent.

    Precision, recall and F1 are computed per class over the arg-max prediction, 0 where a class
    was never predicted or never occurs, and averaged without weights over all C classes. F1 is
    the mean of the classes' F1, not the F1 of the means. A prediction with a score that is not
    above 0 counts as none.

    Args:
        scores: (N, C) float, one score per class.
        targets: (N,) int, class indices in [0, C).
        top_k: the accuracies to give; those above C are left out.

    Returns:
        ``{"accuracy_top-1": …, "accuracy_top-5": …, "precision": …, "recall": …, "f1_score": …}``

    Raises:
        UserError: nothing to score, or shapes or indices that do not fit.
    """
    score_array = np.asarray(scores, dtype=np.float32)
    target_array = np.asarray(targets)
    if score_array.ndim != 2 or 0 in score_array.shape:
        raise UserError(f"tagging scores must be (images, classes), got {score_array.shape}")
    images, num_classes = score_array.shape
    if target_array.shape != (images,):
        raise UserError(
            f"{images} images have tagging scores, but the targets have shape {target_array.shape}"
        )
    if target_array.min() < 0 or target_array.max() >= num_classes:
        raise UserError(f"tagging targets must be class indices from 0 to {num_classes - 1}")

    order = np.argsort(-score_array, axis=1, kind="stable")
    counted = np.take_along_axis(score_array, order, axis=1) > 0
    hits = (order == target_array[:, None]) & counted
    metrics = {
        f"accuracy_top-{k}": 100.0 * float(hits[:, :k].any(axis=1).mean())
        for k in top_k
        if k <= num_classes
    }

    predicted = np.bincount(order[counted[:, 0], 0], minlength=num_classes)
    present = np.bincount(target_array, minlength=num_classes)
    correct = np.bincount(target_array[hits[:, 0]], minlength=num_classes)
    precision = 100.0 * correct / np.maximum(predicted, 1)
    recall = 100.0 * correct / np.maximum(present, 1)
    f1_score = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float32).eps)
    metrics["precision"] = float(precision.mean())
    metrics["recall"] = float(recall.mean())
    metrics["f1_score"] = float(f1_score.mean())
    return metrics


def tagging_config(tags: Iterable[str]) -> Config:
    """The configuration that scalabel's tagging evaluator takes: tags as parent categories."""
    from scalabel.label.typing import Config

    parents = [
        {"name": tag, "subcategories": [{"name": value} for value in TAGS[tag]]} for tag in tags
    ]
    return Config.parse_obj({"categories": parents})
