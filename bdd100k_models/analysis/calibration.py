"""Whether a score of 0.8 means right in 80 of 100 cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bdd100k_models.analysis.precision import Array, Matches

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Predictions by score, in ten bins of equal width.

    Attributes:
        counts: (10,) predictions.
        scores: (10,) their mean score, NaN where there are none.
        precisions: (10,) which part of them is right, NaN where there are none.
    """

    counts: Array
    scores: Array
    precisions: Array

    @property
    def expected_error(self) -> float:
        """Mean distance of score and precision, weighted by predictions (ECE); NaN without any."""
        known = self.counts > 0
        if not known.any():
            return float("nan")
        distance = np.abs(self.scores - self.precisions)[known]
        return float(np.average(distance, weights=self.counts[known]))


def calibrate(matches: Sequence[Matches]) -> Calibration:
    """Compare scores with precision at the first threshold of the matches, all classes together."""
    scores = np.concatenate([own.scores[~own.ignored[0]] for own in matches])
    right = np.concatenate([own.hit[0][~own.ignored[0]] for own in matches])
    bins = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return Calibration(
            counts,
            np.bincount(bins, weights=scores, minlength=BINS) / counts,
            np.bincount(bins, weights=right, minlength=BINS) / counts,
        )
