"""Projection and clipping, on points whose pixels are known."""

from __future__ import annotations

import numpy as np

from bdd100k_models.data.mini.camera import NEAR, Camera, clip_near

CAMERA = Camera(focal=1000.0, center_x=640.0, horizon=340.0, height=1.5)


def test_a_point_on_the_ground_ten_metres_ahead() -> None:
    pixels = CAMERA.project(np.array([[0.0, 0.0, 10.0], [2.0, 1.5, 10.0]]))
    np.testing.assert_allclose(pixels, [[640.0, 490.0], [840.0, 340.0]])


def test_clipping_keeps_what_is_beyond_the_near_plane() -> None:
    square = np.array([[0.0, 0, 0.2], [1, 0, 0.2], [1, 0, 2.2], [0, 0, 2.2]])
    clipped = clip_near(square)
    assert clipped[:, 2].min() == NEAR
    assert clipped[:, 2].max() == 2.2
    assert len(clipped) == 4


def test_clipping_a_polygon_behind_the_camera_leaves_nothing() -> None:
    assert clip_near(np.array([[0.0, 0, -1], [1, 0, -1], [0, 1, -1]])).shape == (0, 3)
