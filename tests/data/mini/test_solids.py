"""Headings and visible faces."""

from __future__ import annotations

import numpy as np
import pytest

from bdd100k_models.data.mini.solids import Box, Place


@pytest.mark.parametrize(
    ("yaw", "forward_point"),
    [(0.0, [1.0, 0.0, 11.0]), (np.pi, [1.0, 0.0, 9.0]), (np.pi / 2, [2.0, 0.0, 10.0])],
)
def test_forward_is_away_towards_and_to_the_right(yaw: float, forward_point: list[float]) -> None:
    world = Place(1.0, 10.0, yaw).to_world(np.array([[0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(world[0], forward_point, atol=1e-12)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(0.0, 10.0), {"rear"}),
        (Place(0.0, 10.0, np.pi), {"front"}),
        (Place(-5.0, 10.0), {"rear", "right"}),
        (Place(5.0, 10.0), {"rear", "left"}),
        (Place(0.0, 10.0, np.pi / 2), {"right"}),
    ],
)
def test_the_camera_sees_the_faces_that_turn_to_it(place: Place, expected: set[str]) -> None:
    faces = Box(-2, 2, 0, 2, 1).visible_faces(place, eye_height=1.5)
    assert {face.name for face in faces} == expected


def test_a_low_box_shows_its_top() -> None:
    faces = Box(-2, 2, 0, 1, 1).visible_faces(Place(0.0, 10.0), eye_height=1.5)
    assert {face.name for face in faces} == {"rear", "top"}


def test_a_patch_lies_on_its_face() -> None:
    face = Box(-2, 2, 0, 2, 1).visible_faces(Place(0.0, 10.0), eye_height=1.5)[0]
    patch = face.patch(0.25, 0.5, 0.75, 1.0)
    np.testing.assert_allclose(
        patch, [[-0.5, 1, 8], [0.5, 1, 8], [0.5, 2, 8], [-0.5, 2, 8]], atol=1e-12
    )
