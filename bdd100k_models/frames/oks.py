"""Which of the poses predicted for one image are kept, and with what score."""

import numpy as np
from numpy.typing import NDArray


def pose_scores(
    keypoint_scores: NDArray[np.floating],
    box_scores: NDArray[np.floating],
    threshold: float = 0.2,
) -> NDArray[np.float64]:
    """Box score times the mean of the keypoint scores above ``threshold``; 0 where none is.

    Args:
        keypoint_scores: (P, K), 0 to 1.
        box_scores: (P,), 0 to 1.
        threshold: keypoints at or below it do not count.

    Returns:
        (P,) float64.
    """
    points = np.asarray(keypoint_scores, dtype=np.float64)
    counted = points > threshold
    sums = np.where(counted, points, 0.0).sum(axis=-1)
    means = sums / np.maximum(counted.sum(axis=-1), 1)
    return means * np.asarray(box_scores, dtype=np.float64)


def oks(
    pose: NDArray[np.floating],
    others: NDArray[np.floating],
    area: float,
    other_areas: NDArray[np.floating],
    sigmas: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Object keypoint similarity (Lin et al., COCO keypoints) of one pose to each of others.

    All keypoints count, and the mean of the two areas is the scale, as where two predictions are
    compared neither is the truth.

    Args:
        pose: (K, 2), x y, pixels.
        others: (P, K, 2), x y, pixels.
        area: of the box around ``pose``, pixels.
        other_areas: (P,), of the boxes around ``others``, pixels.
        sigmas: (K,), spread of each keypoint relative to the scale.

    Returns:
        (P,) float64, 0 to 1.
    """
    squared = ((np.asarray(others, np.float64) - np.asarray(pose, np.float64)) ** 2).sum(axis=-1)
    variances = (2.0 * np.asarray(sigmas, np.float64)) ** 2
    scale = (np.asarray(other_areas, np.float64) + area) / 2.0 + np.spacing(1.0)
    similarity: NDArray[np.float64] = np.exp(-squared / variances / scale[:, None] / 2.0)
    return similarity.mean(axis=-1)


def oks_nms(
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    areas: NDArray[np.floating],
    sigmas: NDArray[np.floating],
    threshold: float = 0.9,
) -> NDArray[np.int64]:
    """Greedy suppression of poses that repeat a better one.

    Args:
        keypoints: (P, K, 2), x y, pixels.
        scores: (P,), of the whole poses.
        areas: (P,), of the boxes around the poses, pixels.
        sigmas: (K,), see :func:`oks`.
        threshold: a pose goes when its similarity to a kept one is above it.

    Returns:
        Indices of the poses to keep, the best first; equal scores stay in order.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        similarity = oks(keypoints[best], keypoints[rest], float(areas[best]), areas[rest], sigmas)
        order = rest[similarity <= threshold]
    return np.array(kept, dtype=np.int64)
