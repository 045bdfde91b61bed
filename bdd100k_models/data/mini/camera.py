"""A pinhole camera that looks along the road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 1280, 720

#: Nothing nearer than this is drawn, in metres.
NEAR = 1.2


@dataclass(frozen=True)
class Camera:
    """Where the camera is and how it sees.

    World axes in metres: x to the right of the camera, y up from the ground, z along the road.

    Attributes:
        focal: focal length in pixels.
        center_x: column of the vanishing point of the road, pixels.
        horizon: row of the horizon, pixels.
        height: height of the camera above the ground, metres.
    """

    focal: float
    center_x: float
    horizon: float
    height: float

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points, (N, 3) metres, to pixels, (N, 2) float64 ``x y``; z must be positive."""
        depth = points[:, 2]
        x = self.center_x + self.focal * points[:, 0] / depth
        y = self.horizon + self.focal * (self.height - points[:, 1]) / depth
        return np.stack([x, y], axis=1)

    def pixels_per_metre(self, depth: float) -> float:
        """Size in pixels of one metre across the view at ``depth`` metres."""
        return self.focal / depth


def clip_near(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a polygon, (N, 3) metres, that lies beyond ``NEAR``; may be empty."""
    inside = points[:, 2] >= NEAR
    if inside.all():
        return points
    kept: list[NDArray[np.float64]] = []
    for index in range(len(points)):
        current, following = points[index], points[(index + 1) % len(points)]
        if inside[index]:
            kept.append(current)
        if inside[index] != inside[(index + 1) % len(points)]:
            share = (NEAR - current[2]) / (following[2] - current[2])
            kept.append(current + share * (following - current))
    return np.array(kept, dtype=np.float64).reshape(-1, 3)
