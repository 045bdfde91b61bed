"""Poses of one image as Scalabel graphs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Label
from bdd100k_models.frames.detection import box2d_corners, finite_scores
from bdd100k_models.zoo.classes import (
    POSE_CATEGORY,
    POSE_EDGES,
    POSE_GRAPH_TYPE,
    POSE_KEYPOINTS,
)


def pose_labels(
    keypoints: NDArray[np.floating],
    scores: NDArray[np.floating],
    boxes: NDArray[np.floating] | None = None,
    names: Sequence[str] = POSE_KEYPOINTS,
    edges: Sequence[tuple[int, int, str]] = POSE_EDGES,
    category: str = POSE_CATEGORY,
) -> list[Label]:
    """Labels with ``category``, ``score``, ``box2d`` (where boxes are given) and ``graph``.

    Node ids are derived (person in the image, keypoint name), so that equal inputs give equal
    files.

    Args:
        keypoints: (P, K, 3), x y score, pixels.
        scores: (P,), of the whole pose.
        boxes: (P, 4), x1 y1 x2 y2, pixels.
        names: K names of the nodes.
        edges: (from, to, type) by keypoint index.
        category: the category of every label.

    Raises:
        ValueError: lengths differ or a number is not finite.
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    if keypoints.size == 0:
        keypoints = keypoints.reshape(0, len(names), 3)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(names), 3):
        raise ValueError(f"expected keypoints of shape (P, {len(names)}, 3), got {keypoints.shape}")
    if not np.isfinite(keypoints).all():
        raise ValueError("a keypoint has a number that is not finite")
    score_list = finite_scores(scores)
    corners = None if boxes is None else box2d_corners(boxes).tolist()
    if len(score_list) != len(keypoints) or (
        corners is not None and len(corners) != len(keypoints)
    ):
        raise ValueError(
            f"{len(keypoints)} poses, {len(score_list)} scores"
            + ("" if corners is None else f", {len(corners)} boxes")
        )
    labels: list[Label] = []
    for person, (points, score) in enumerate(zip(keypoints.tolist(), score_list, strict=True)):
        label: Label = {"category": category, "score": score}
        if corners is not None:
            label["box2d"] = dict(zip(("x1", "y1", "x2", "y2"), corners[person], strict=True))
        nodes = [
            {
                "location": [x, y],
                "category": name,
                "score": point_score,
                "id": f"{person}-{name}",
            }
            for name, (x, y, point_score) in zip(names, points, strict=True)
        ]
        label["graph"] = {
            "nodes": nodes,
            "edges": [
                {"source": nodes[source]["id"], "target": nodes[target]["id"], "type": kind}
                for source, target, kind in edges
            ],
            "type": POSE_GRAPH_TYPE,
        }
        labels.append(label)
    return labels
