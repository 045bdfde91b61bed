"""How far two results for the same picture are apart, as one share from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Boxes with a lower score are no finding that anybody looks at.
_CONFIDENT = 0.3
#: Two boxes or masks are the same finding from this overlap, and up to this distance in score.
_SAME_IOU = 0.85
_SAME_SCORE = 0.1
#: Pixels between two places of the same keypoint.
_SAME_POINT = 4.0

Arrays = Mapping[str, NDArray]


def disagreement(found: Arrays, expected: Arrays) -> tuple[float, str]:
    """The share, and what it is a share of.

    The arrays are those of a result: ``class_map`` (H, W), ``keypoints`` (P, K, 3), ``boxes``
    (N, 4) with ``scores``, ``classes`` and perhaps ``masks`` (N, H, W), or ``scores`` (C,) alone.
    """
    if "class_map" in expected:
        return float(np.mean(found["class_map"] != expected["class_map"])), "of the pixels differ"
    if "keypoints" in expected:
        return _keypoints(found, expected), "of the keypoints are elsewhere"
    if "boxes" in expected:
        missed, total = np.add(_without_partner(expected, found), _without_partner(found, expected))
        return float(missed / max(1, total)), f"of {total} findings have no partner"
    apart = np.abs(found["scores"] - expected["scores"]).max()
    return float(np.nan_to_num(apart, nan=np.inf)), "difference of a score"


def _without_partner(some: Arrays, others: Arrays) -> tuple[int, int]:
    """Confident findings of ``some``: those that are not among ``others``, and all."""
    confident = np.flatnonzero(some["scores"] >= _CONFIDENT)
    missed = 0
    for place in confident.tolist():
        alike = np.flatnonzero(
            (others["classes"] == some["classes"][place])
            & (np.abs(others["scores"] - some["scores"][place]) <= _SAME_SCORE)
        )
        if "masks" in some:
            overlap = _mask_iou(some["masks"][place], others["masks"][alike])
        else:
            overlap = _box_iou(some["boxes"][place], others["boxes"][alike])
        missed += not (overlap >= _SAME_IOU).any()
    return missed, len(confident)


def _box_iou(box: NDArray, others: NDArray) -> NDArray:
    size = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    inter = np.maximum(size, 0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    iou: NDArray = inter / np.maximum((box[2:] - box[:2]).prod() + areas - inter, 1e-9)
    return iou


def _mask_iou(mask: NDArray, others: NDArray) -> NDArray:
    inter = (others & mask).sum(axis=(1, 2))
    iou: NDArray = inter / np.maximum((others | mask).sum(axis=(1, 2)), 1)
    return iou


def _keypoints(found: Arrays, expected: Arrays) -> float:
    """Share of keypoints that the most similar pose found has elsewhere."""
    poses, truth = found["keypoints"][..., :2], expected["keypoints"][..., :2]
    if not len(truth) or not len(poses):
        return float(len(truth) != len(poses))
    distances = np.linalg.norm(truth[:, None] - poses[None], axis=-1)  # (P, P', K)
    return float((distances > _SAME_POINT).mean(axis=-1).min(axis=1).mean())
