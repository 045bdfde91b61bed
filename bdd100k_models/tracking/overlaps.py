"""How much boxes overlap."""

from __future__ import annotations

import numpy as np


def box_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, 4) and (M, 4) float32 x1 y1 x2 y2 -> (N, M) float32, intersection over union."""
    first, second = first.astype(np.float32), second.astype(np.float32)
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    sides = np.maximum(np.minimum(first[:, None, 2:], second[None, :, 2:]) - corner, np.float32(0))
    shared = sides[..., 0] * sides[..., 1]
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    return shared / np.maximum(union, np.float32(1e-6))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
