"""Class scores of one image as a tagged Scalabel frame and as a plain prediction."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Frame
from bdd100k_models.frames.detection import finite_scores


class TaggingPrediction(TypedDict):
    """One entry of ``preds.json``."""

    class_scores: list[float]
    pred_score: float
    pred_label: int
    pred_class: str


def tagging_frame(
    name: str, class_scores: NDArray[np.floating], categories: Sequence[str], attribute: str
) -> Frame:
    """A frame whose ``attribute`` (``weather``, ``scene``) is the class of the highest score.

    Args:
        name: name of the image.
        class_scores: (C,).
        categories: C class names.
        attribute: the attribute to write.

    Raises:
        ValueError: lengths differ or a score is not finite.
    """
    prediction = tagging_prediction(class_scores, categories)
    return {"name": name, "attributes": {attribute: prediction["pred_class"]}, "labels": []}


def tagging_prediction(
    class_scores: NDArray[np.floating], categories: Sequence[str]
) -> TaggingPrediction:
    """The entry of ``preds.json``; of equal scores the first class wins.

    Args:
        class_scores: (C,).
        categories: C class names.

    Raises:
        ValueError: lengths differ or a score is not finite.
    """
    scores = finite_scores(class_scores)
    if not scores or len(scores) != len(categories):
        raise ValueError(f"{len(scores)} class scores, {len(categories)} categories")
    label = int(np.argmax(scores))
    return {
        "class_scores": scores,
        "pred_score": scores[label],
        "pred_label": label,
        "pred_class": categories[label],
    }
