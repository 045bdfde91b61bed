"""Tracking by motion and overlap alone: no appearance, no weights.

Zhang et al., «ByteTrack: Multi-Object Tracking by Associating Every Detection Box», ECCV 2022:
tracks take the sure boxes first, and what is left of them takes the unsure boxes, which are often
objects that something hides in part. Each class is tracked by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bdd100k_models.tracking import kalman
from bdd100k_models.tracking.overlaps import box_ious

#: In the place of an overlap that must not be matched.
_NEVER = -1e6


@dataclass(frozen=True)
class MotionSettings:
    """Thresholds of the tracker.

    Attributes:
        high_score: boxes from here on are sure; they are matched first.
        low_score: boxes below are left out.
        new_score: a sure box that nothing claims begins a track from here on.
        match_iou: least overlap of a box with where its track should be.
        lost_frames: a track ends when it was not seen for more frames. The paper's are 30 of 30 a
            second; BDD100K has 5.
    """

    high_score: float = 0.6
    low_score: float = 0.1
    new_score: float = 0.7
    match_iou: float = 0.2
    lost_frames: int = 10


class MotionTracker:
    """Identities for boxes, frame by frame.

    Attributes:
        settings: its thresholds.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.reset()

    def reset(self) -> None:
        """A new video begins."""
        self._next_id = 0
        self._frame: int | None = None
        self._states = np.zeros((0, 8))
        self._covariances = np.zeros((0, 8, 8))
        self._ids = np.zeros(0, np.int64)
        self._labels = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)

    def update(
        self,
        frame_index: int,
        boxes: NDArray[np.float32],
        labels: NDArray[np.int64],
        embeddings: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """The boxes of the next frame; see :meth:`match`.

        Returns:
            Boxes (K, 5), labels (K,) and ids (K,) int64 of the boxes that belong to a track, in
            the order given. Ids count from 0.
        """
        kept, ids = self.match(frame_index, boxes, labels)
        return boxes[kept], labels[kept], ids

    def match(
        self, frame_index: int, boxes: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As :meth:`update`, giving places (K,) and ids (K,).

        Frames may be missing; time goes on meanwhile.

        Args:
            frame_index: place in the video, greater than that of the last call.
            boxes: (N, 5) float32, x1 y1 x2 y2 score.
            labels: (N,) int64.

        Raises:
            ValueError: ``frame_index`` is not greater than that of the last call.
        """
        if self._frame is not None and frame_index <= self._frame:
            raise ValueError(f"frame {frame_index} comes after frame {self._frame}")
        settings = self.settings
        self._drop(frame_index - self._seen <= settings.lost_frames + 1)
        for _ in range(frame_index - self._frame if self._frame is not None else 0):
            self._states, self._covariances = kalman.predict(self._states, self._covariances)
        self._frame = frame_index
        scores = boxes[:, 4]
        sure = np.flatnonzero(scores >= settings.high_score)
        unsure = np.flatnonzero((scores >= settings.low_score) & (scores < settings.high_score))
        ids = np.full(len(boxes), -1, np.int64)
        free = np.arange(len(self._ids))
        for candidates in (sure, unsure):
            tracks, found = self._match(free, boxes, labels, candidates)
            self._see(tracks, boxes[found])
            ids[found] = self._ids[tracks]
            free = np.setdiff1d(free, tracks)
        new = sure[(ids[sure] < 0) & (scores[sure] >= settings.new_score)]
        ids[new] = self._begin(boxes[new], labels[new])
        tracked = np.flatnonzero(ids >= 0)
        return tracked, ids[tracked]

    def _match(
        self,
        tracks: NDArray[np.int64],
        boxes: NDArray[np.float32],
        labels: NDArray[np.int64],
        candidates: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tracks and boxes that belong together: the greatest sum of overlaps."""
        if not len(tracks) or not len(candidates):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        expected = kalman.boxes_of(self._states[tracks]).astype(np.float32)
        ious = box_ious(expected, boxes[candidates, :4]).astype(np.float64)
        allowed = (self._labels[tracks, None] == labels[None, candidates]) & (
            ious >= self.settings.match_iou
        )
        rows, columns = linear_sum_assignment(np.where(allowed, ious, _NEVER), maximize=True)
        matched = allowed[rows, columns]
        return tracks[rows[matched]], candidates[columns[matched]]

    def _see(self, tracks: NDArray[np.int64], boxes: NDArray[np.float32]) -> None:
        if not len(tracks):
            return
        self._states[tracks], self._covariances[tracks] = kalman.update(
            self._states[tracks], self._covariances[tracks], kalman.measurements(boxes[:, :4])
        )
        assert self._frame is not None
        self._seen[tracks] = self._frame

    def _begin(self, boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self._frame is not None
        ids = np.arange(self._next_id, self._next_id + len(boxes), dtype=np.int64)
        self._next_id += len(boxes)
        states, covariances = kalman.begin(kalman.measurements(boxes[:, :4]))
        self._states = np.concatenate([self._states, states])
        self._covariances = np.concatenate([self._covariances, covariances])
        self._ids = np.concatenate([self._ids, ids])
        self._labels = np.concatenate([self._labels, labels.astype(np.int64)])
        self._seen = np.concatenate([self._seen, np.full(len(boxes), self._frame, np.int64)])
        return ids

    def _drop(self, kept: NDArray[np.bool_]) -> None:
        """Keep these tracks."""
        self._states, self._covariances = self._states[kept], self._covariances[kept]
        self._ids, self._labels, self._seen = self._ids[kept], self._labels[kept], self._seen[kept]
