"""Distances of motmetrics on any numpy."""

import numpy as np
from motmetrics import distances


def test_squared_distances() -> None:
    found = distances.norm2squared_matrix([[0, 0], [3, 4]], [[0, 0], [1, 0]], max_d2=15)
    np.testing.assert_array_equal(found, [[0, 1], [np.nan, np.nan]])


def test_overlaps() -> None:
    found = distances.iou_matrix([[0, 0, 10, 10]], [[0, 0, 10, 5], [50, 50, 5, 5]], max_iou=0.6)
    np.testing.assert_allclose(found, [[0.5, np.nan]])
