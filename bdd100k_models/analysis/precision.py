"""Average precision from matches, with a weight for each picture.

The matches are those of the official evaluators; with the weights 1 the figures are theirs. Other
weights score a group of pictures, a single one, or a resample, without matching again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """The predictions of one class in all pictures, best score first.

    Attributes:
        picture: (D,) int64, index of the picture.
        scores: (D,) float64, descending.
        hit: (T, D) bool, matched a true object, for each of T thresholds.
        ignored: (T, D) bool, counts neither for nor against.
        positives: (P,) int64, true objects of each of P pictures.
    """

    picture: Index
    scores: Array
    hit: Mask
    ignored: Mask
    positives: Index

    def of(self, picture: int) -> Matches:
        """Those of one picture, as if there were no other."""
        order, bounds = self._by_picture
        own = order[bounds[picture] : bounds[picture + 1]]
        return Matches(
            np.zeros(len(own), dtype=np.int64),
            self.scores[own],
            self.hit[:, own],
            self.ignored[:, own],
            self.positives[picture : picture + 1],
        )

    @cached_property
    def _by_picture(self) -> tuple[Index, Index]:
        """(D,) predictions picture by picture, and (P + 1,) where each picture begins."""
        order = np.argsort(self.picture, kind="stable")
        return order, np.searchsorted(self.picture[order], np.arange(len(self.positives) + 1))


def average_precisions(matches: Matches, weights: Array, recalls: Array) -> Array:
    """(T,) average precision, 0 to 1, at each threshold; NaN where nothing is to be found.

    Args:
        matches: of one class.
        weights: (P,), how often each picture counts.
        recalls: (R,), ascending, where precision is read.
    """
    positives = float(matches.positives @ weights)
    if positives <= 0:
        return np.full(len(matches.hit), np.nan)
    weight = weights[matches.picture]
    right = np.where(matches.hit & ~matches.ignored, weight, 0.0)
    wrong = np.where(~matches.hit & ~matches.ignored, weight, 0.0)
    return interpolated_precision(
        np.cumsum(right, axis=1), np.cumsum(wrong, axis=1), positives, recalls
    )


def interpolated_precision(hits: Array, misses: Array, positives: float, recalls: Array) -> Array:
    """(T,) mean of the best precision at or beyond each of ``recalls``, as COCO has it.

    Args:
        hits: (T, D), cumulated true positives, best score first.
        misses: (T, D), cumulated false positives.
        positives: objects to find.
        recalls: (R,), ascending.
    """
    if not hits.shape[1] or positives <= 0:
        return np.zeros(len(hits))
    precision = hits / np.maximum(hits + misses, np.spacing(1.0))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    found = np.zeros(len(hits))
    for index, recall in enumerate(hits / positives):
        places = np.searchsorted(recall, recalls, side="left")
        reached = places[places < len(recall)]
        found[index] = best[index, reached].sum() / len(recalls)
    return found
