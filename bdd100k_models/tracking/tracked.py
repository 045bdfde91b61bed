"""What a tracking network found in one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bdd100k_models.frames.instance import CroppedMask


@dataclass(frozen=True)
class TrackedFrame:
    """Detections of a frame, and which of them bear an identity.

    Attributes:
        boxes: (N, 5) float32, x1 y1 x2 y2 score, pixels of the original image; all detections,
            by falling score.
        labels: (N,) int64, classes.
        embeddings: (N, E) float32, appearances.
        kept: (K,) int64, the detections that the tracker did not remove as duplicates, by falling
            score.
        ids: (K,) int64, their identities, from 0 in each video; -1 and -2 for none.
        height: height of the original image, pixels.
        width: width of the original image, pixels.
        masks: of the N detections; None from a network without masks.
    """

    boxes: np.ndarray
    labels: np.ndarray
    embeddings: np.ndarray
    kept: np.ndarray
    ids: np.ndarray
    height: int
    width: int
    masks: Sequence[CroppedMask] | None = None

    @property
    def tracked(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the detections with an identity, by falling score, and their identities."""
        found = self.ids >= 0
        return self.kept[found], self.ids[found]
