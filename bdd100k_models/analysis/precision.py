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
    def counted(self) -> list[tuple[Index, Index]]:
        """At each threshold, pictures of the predictions that count, and places of hits in these.

        The pictures are :attr:`picture` itself where all count.
        """
        found = []
        for hit, ignored in zip(self.hit, self.ignored, strict=True):
            kept = ~ignored
            pictures = self.picture if kept.all() else self.picture[kept]
            found.append((pictures, np.flatnonzero(hit[kept])))
        return found

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
    found = np.zeros(len(matches.hit))
    whole: Array | None = None
    for index, (pictures, places) in enumerate(matches.counted):
        if pictures is matches.picture:
            whole = np.cumsum(weights[pictures]) if whole is None else whole
            predictions = whole
        else:
            predictions = np.cumsum(weights[pictures])
        hits = np.cumsum(weights[pictures[places]])
        found[index] = interpolated_precision(hits, predictions[places], positives, recalls)
    return found


def interpolated_precision(
    hits: Array, predictions: Array, positives: float, recalls: Array
) -> float:
    """Mean of the best precision at or beyond each of ``recalls``, as COCO has it.

    Precision is best where recall grows, so that these places are enough.

    Args:
        hits: (H,), true positives up to and with each of them, best score first.
        predictions: (H,), predictions up to and with the same.
        positives: objects to find.
        recalls: (R,), ascending.
    """
    if not len(hits) or positives <= 0:
        return 0.0
    precision = hits / np.maximum(predictions, np.spacing(1.0))
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / positives, recalls, side="left")
    return float(best[places[places < len(best)]].sum() / len(recalls))
