"""The tracker of QDTrack: identities by the likeness of appearances.

Pang et al., «Quasi-Dense Similarity Learning for Multiple Object Tracking», CVPR 2021. Identities,
their order and every threshold are those of the original code; it compares in float32, and so
does this.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from bdd100k_models.tracking.overlaps import box_ious

#: In the place of an identity: nothing that is known, and not sure enough to be something new.
BACKDROP = -1
#: In the place of an identity: a weak box that looks like something that is known.
SUPPRESSED = -2


@dataclass(frozen=True)
class QuasiDenseSettings:
    """Thresholds of the tracker; the values are those for BDD100K.

    Attributes:
        init_score_thr: a track begins with a score above it.
        obj_score_thr: a track goes on with a score above it.
        match_score_thr: a detection is like a remembered one from a similarity above it.
        memo_tracklet_frames: a track ends this many frames after it was last seen.
        memo_backdrop_frames: calls whose backdrops are remembered.
        memo_momentum: share of the new embedding in the remembered one.
        nms_conf_thr: similarity above which a weak box is suppressed.
        nms_backdrop_iou_thr: overlap above which a box is a duplicate, for weak boxes and
            backdrops.
        nms_class_iou_thr: overlap above which any other box is a duplicate.
        with_cats: only detections of one class are alike.
    """

    init_score_thr: float = 0.7
    obj_score_thr: float = 0.3
    match_score_thr: float = 0.5
    memo_tracklet_frames: int = 10
    memo_backdrop_frames: int = 1
    memo_momentum: float = 0.8
    nms_conf_thr: float = 0.5
    nms_backdrop_iou_thr: float = 0.3
    nms_class_iou_thr: float = 0.7
    with_cats: bool = True


@dataclass
class Tracklet:
    """What is remembered of an identity.

    Attributes:
        box: (5,) float32, x1 y1 x2 y2 score when it was last seen.
        label: its class then.
        embedding: (E,) float32, its appearance, averaged over time.
        last_frame: index of the frame in which it was last seen.
        velocity: (5,) float32, mean change of ``box`` per frame; nothing reads it in matching.
        updates: times that it was seen after the first.
    """

    box: np.ndarray
    label: int
    embedding: np.ndarray
    last_frame: int
    velocity: np.ndarray
    updates: int = 0

    def update(
        self, frame_index: int, box: np.ndarray, label: int, embedding: np.ndarray, momentum: float
    ) -> None:
        """It is seen again."""
        velocity = (box - self.box) / np.float32(frame_index - self.last_frame)
        count = np.float32(self.updates)
        self.velocity = (self.velocity * count + velocity) / (count + np.float32(1))
        self.updates += 1
        self.embedding = (
            np.float32(1 - momentum) * self.embedding + np.float32(momentum) * embedding
        )
        self.box, self.label, self.last_frame = box, label, frame_index


@dataclass(frozen=True)
class Backdrops:
    """What one call saw and gave no identity; boxes (B, 5), labels (B,), embeddings (B, E)."""

    boxes: np.ndarray
    labels: np.ndarray
    embeddings: np.ndarray


class QuasiDenseTracker:
    """Identities for detections with embeddings, frame by frame.

    Attributes:
        settings: its thresholds.
        tracklets: what is remembered, by identity, in order of first appearance.
        backdrops: of the last calls, the newest first.
    """

    def __init__(self, settings: QuasiDenseSettings | None = None) -> None:
        self.settings = settings or QuasiDenseSettings()
        self.tracklets: dict[int, Tracklet] = {}
        self.backdrops: deque[Backdrops] = deque(maxlen=self.settings.memo_backdrop_frames)
        self._next_id = 0
        self._last_frame: int | None = None

    def reset(self) -> None:
        """A new video begins."""
        self.tracklets.clear()
        self.backdrops.clear()
        self._next_id = 0
        self._last_frame = None

    def update(
        self,
        frame_index: int,
        boxes: np.ndarray,
        labels: np.ndarray,
        embeddings: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The detections of the next frame; see :meth:`match`.

        Returns:
            Boxes (K, 5), labels (K,) and ids (K,) int64 of the detections that are no duplicates,
            by falling score. Ids count from 0; ``BACKDROP`` and ``SUPPRESSED`` are none.
        """
        kept, ids = self.match(frame_index, boxes, labels, embeddings)
        return np.asarray(boxes)[kept], np.asarray(labels)[kept], ids

    def match(
        self,
        frame_index: int,
        boxes: np.ndarray,
        labels: np.ndarray,
        embeddings: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`update`, giving places instead of copies.

        A frame without a call ends no track.

        Args:
            frame_index: place of the frame in the video, greater than that of the last call.
            boxes: (N, 5) float32, x1 y1 x2 y2 score.
            labels: (N,) int64.
            embeddings: (N, E) float32.

        Returns:
            (K,) int64 places of the detections that are no duplicates, by falling score, and
            their (K,) int64 ids.

        Raises:
            ValueError: no embeddings, not one for each box, or a frame that is not a later one.
        """
        if embeddings is None:
            raise ValueError("QDTrack's tracker needs an embedding of each box")
        boxes, labels, embeddings = (np.asarray(part) for part in (boxes, labels, embeddings))
        if not len(boxes) == len(labels) == len(embeddings):
            raise ValueError(
                f"{len(boxes)} boxes, {len(labels)} labels, {len(embeddings)} embeddings"
            )
        if self._last_frame is not None and frame_index <= self._last_frame:
            raise ValueError(f"frame {frame_index} comes after frame {self._last_frame}")
        self._last_frame = frame_index
        kept = self._without_duplicates(boxes)
        boxes = boxes[kept].astype(np.float32)
        labels, embeddings = labels[kept], embeddings[kept].astype(np.float32)
        ids = self._assign(boxes, labels, embeddings)
        self._remember(frame_index, ids, boxes, labels, embeddings)
        return kept, ids

    def _without_duplicates(self, boxes: np.ndarray) -> np.ndarray:
        """Places of what stays, by falling score.

        A box also goes for its overlap with one that goes itself.
        """
        order = np.argsort(-boxes[:, 4], kind="stable")
        settings, boxes = self.settings, boxes[order]
        limits = np.where(
            boxes[:, 4] < np.float32(settings.obj_score_thr),
            np.float32(settings.nms_backdrop_iou_thr),
            np.float32(settings.nms_class_iou_thr),
        )
        over = box_ious(boxes[:, :4], boxes[:, :4]) > limits[:, None]
        kept: np.ndarray = order[~np.tril(over, -1).any(axis=1)]
        return kept

    def _assign(self, boxes: np.ndarray, labels: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Identities, those of new tracks among them; boxes come by falling score."""
        settings = self.settings
        ids = np.full(len(boxes), BACKDROP, dtype=np.int64)
        scores = boxes[:, 4]
        if self.tracklets and len(boxes):
            known, alike = self._similarities(labels, embeddings)
            for place in range(len(boxes)):
                choice = int(alike[place].argmax())
                confidence = alike[place, choice]
                if not confidence > np.float32(settings.match_score_thr):
                    continue
                if known[choice] == BACKDROP:
                    continue
                if scores[place] > np.float32(settings.obj_score_thr):
                    ids[place] = known[choice]
                    alike[:, choice] = 0
                elif confidence > np.float32(settings.nms_conf_thr):
                    ids[place] = SUPPRESSED
        new = (ids == BACKDROP) & (scores > np.float32(settings.init_score_thr))
        count = int(np.count_nonzero(new))
        ids[new] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        return ids

    def _similarities(
        self, labels: np.ndarray, embeddings: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(M,) identities in memory, backdrops last, and (N, M) float32 likeness, 0 to 1."""
        tracklets = self.tracklets.values()
        known = [np.fromiter(self.tracklets, np.int64)]
        known += [np.full(len(seen.labels), BACKDROP) for seen in self.backdrops]
        memory = np.concatenate(
            [np.stack([item.embedding for item in tracklets])]
            + [seen.embeddings for seen in self.backdrops]
        )
        classes = np.concatenate(
            [np.array([item.label for item in tracklets])]
            + [seen.labels for seen in self.backdrops]
        )
        # Not BLAS: its last bits may depend on the number of threads.
        products = np.einsum("ne,me->nm", embeddings, memory)
        alike = (_softmax(products, axis=1) + _softmax(products, axis=0)) / np.float32(2)
        if self.settings.with_cats:
            alike *= labels[:, None] == classes[None, :]
        return np.concatenate(known), alike

    def _remember(
        self,
        frame_index: int,
        ids: np.ndarray,
        boxes: np.ndarray,
        labels: np.ndarray,
        embeddings: np.ndarray,
    ) -> None:
        settings = self.settings
        for place in np.flatnonzero(ids >= 0).tolist():
            seen = boxes[place], int(labels[place]), embeddings[place]
            tracklet = self.tracklets.get(int(ids[place]))
            if tracklet is not None:
                tracklet.update(frame_index, *seen, settings.memo_momentum)
            else:
                self.tracklets[int(ids[place])] = Tracklet(
                    *seen, frame_index, np.zeros(5, np.float32)
                )
        left = np.flatnonzero(ids == BACKDROP)
        over = box_ious(boxes[left, :4], boxes[:, :4]) > np.float32(settings.nms_backdrop_iou_thr)
        over &= np.arange(len(boxes))[None, :] < left[:, None]
        left = left[~over.any(axis=1)]
        self.backdrops.appendleft(Backdrops(boxes[left], labels[left], embeddings[left]))
        self.tracklets = {
            number: tracklet
            for number, tracklet in self.tracklets.items()
            if frame_index - tracklet.last_frame < settings.memo_tracklet_frames
        }


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(values - values.max(axis=axis, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=axis, keepdims=True)
    return shares
