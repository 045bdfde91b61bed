"""Boxes in perspective: the building blocks of vehicles and houses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini.canvas import Canvas, Colour, scale

#: Lightness of the faces of a box.
_LIGHT = {"rear": 0.94, "front": 1.0, "left": 0.8, "right": 0.84, "top": 1.12}


@dataclass(frozen=True)
class Place:
    """Position of an object's middle on the ground, metres, and its heading.

    ``yaw`` in radians: 0 drives away from the camera, pi towards it, pi / 2 to the right.
    """

    x: float
    z: float
    yaw: float = 0.0

    def to_world(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Local points, (N, 3) metres ``right, up, forward``, to world points, (N, 3)."""
        sine, cosine = np.sin(self.yaw), np.cos(self.yaw)
        right, up, forward = points[:, 0], points[:, 1], points[:, 2]
        return np.stack(
            [
                self.x + right * cosine + forward * sine,
                up,
                self.z - right * sine + forward * cosine,
            ],
            axis=1,
        )


@dataclass(frozen=True)
class Face:
    """One side of a box, as it stands in the world.

    Attributes:
        name: rear, front, left, right or top.
        corners: (4, 3) metres: bottom left, bottom right, top right, top left seen from outside.
    """

    name: str
    corners: NDArray[np.float64]

    def patch(self, left: float, bottom: float, right: float, top: float) -> NDArray[np.float64]:
        """Corners, (4, 3), of a rectangle on the face, given in shares 0-1 of its sides."""
        return np.array(
            [self.at(left, bottom), self.at(right, bottom), self.at(right, top), self.at(left, top)]
        )

    def at(self, across: float, up: float) -> NDArray[np.float64]:
        """The point, (3,) metres, at shares 0-1 of the face's width and height."""
        low = self.corners[0] * (1 - across) + self.corners[1] * across
        high = self.corners[3] * (1 - across) + self.corners[2] * across
        point: NDArray[np.float64] = low * (1 - up) + high * up
        return point


@dataclass(frozen=True)
class Box:
    """A box that may narrow towards its top; metres in the axes of its object.

    ``back`` and ``front`` are positions along the object, ``low`` and ``high`` heights,
    ``half_width`` half the width at the bottom. The ``top_`` values default to those of the bottom.
    """

    back: float
    front: float
    low: float
    high: float
    half_width: float
    top_back: float | None = None
    top_front: float | None = None
    top_half_width: float | None = None

    def visible_faces(self, place: Place, eye_height: float) -> list[Face]:
        """The faces that a camera at the origin, ``eye_height`` metres up, can see."""
        b, f, w = self.back, self.front, self.half_width
        tb = b if self.top_back is None else self.top_back
        tf = f if self.top_front is None else self.top_front
        tw = w if self.top_half_width is None else self.top_half_width
        low, high = self.low, self.high
        local = {
            "rear": [[-w, low, b], [w, low, b], [tw, high, tb], [-tw, high, tb]],
            "front": [[w, low, f], [-w, low, f], [-tw, high, tf], [tw, high, tf]],
            "left": [[-w, low, f], [-w, low, b], [-tw, high, tb], [-tw, high, tf]],
            "right": [[w, low, b], [w, low, f], [tw, high, tf], [tw, high, tb]],
            "top": [[-tw, high, tb], [tw, high, tb], [tw, high, tf], [-tw, high, tf]],
        }
        eye = np.array([0.0, eye_height, 0.0])
        middle = place.to_world(
            np.array([[0.0, (low + high) / 2, (b + f + tb + tf) / 4]], dtype=np.float64)
        )[0]
        faces = []
        for name, corners in local.items():
            world = place.to_world(np.array(corners, dtype=np.float64))
            normal = np.cross(world[1] - world[0], world[3] - world[0])
            center = world.mean(axis=0)
            if np.dot(normal, center - middle) < 0:
                normal = -normal
            if np.dot(normal, eye - center) > 0:
                faces.append(Face(name, world))
        return faces


def paint_box(
    canvas: Canvas,
    place: Place,
    box: Box,
    colour: Colour,
    segment: int,
    top_colour: Colour | None = None,
) -> dict[str, Face]:
    """Paint a box and give the faces that can be seen, by name, for decals."""
    faces = box.visible_faces(place, canvas.camera.height)
    for face in faces:
        base = top_colour if face.name == "top" and top_colour is not None else colour
        canvas.face(face.corners, scale(base, _LIGHT[face.name]), segment)
    return {face.name: face for face in faces}
