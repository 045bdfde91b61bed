"""Painting colour and segment number together, far things first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini.camera import HEIGHT, WIDTH, Camera, clip_near

Colour = tuple[float, float, float]
Points = Sequence[Sequence[float]] | NDArray[np.float64]

#: Bits behind the binary point of the coordinates that OpenCV draws with.
_SHIFT = 4
#: Coordinates are cut here, far outside of the picture, so that they fit OpenCV's integers.
_LIMIT = 20000.0


@dataclass(frozen=True)
class Air:
    """What light and air do to colours.

    Attributes:
        tint: factor on red, green and blue.
        haze: colour that distance fades to, RGB 0-255.
        visibility: distance in metres at which 63 % of a colour is lost.
    """

    tint: Colour
    haze: Colour
    visibility: float

    def shade(self, colour: Colour, depth: float) -> tuple[int, int, int]:
        """A colour, RGB 0-255, as it looks at ``depth`` metres."""
        lost = 1.0 - float(np.exp(-depth / self.visibility))
        red, green, blue = (
            int(np.clip(channel * tint * (1 - lost) + haze * lost, 0, 255))
            for channel, tint, haze in zip(colour, self.tint, self.haze, strict=True)
        )
        return red, green, blue


@dataclass(frozen=True)
class Glow:
    """A light that shines in the dark: pixel position, radius in pixels, colour RGB 0-255."""

    x: float
    y: float
    radius: float
    colour: Colour


@dataclass
class Canvas:
    """A picture that is being painted.

    Attributes:
        camera: projects world points.
        air: shades colours by depth.
        rgb: (720, 1280, 3) uint8.
        segments: (720, 1280) int32, the number of the segment that each pixel shows.
        glows: lights to add when the picture is dark.
    """

    camera: Camera
    air: Air
    rgb: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    )
    segments: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros((HEIGHT, WIDTH), dtype=np.int32)
    )
    glows: list[Glow] = field(default_factory=list)

    def polygon(
        self,
        points: Points,
        colour: Colour,
        segment: int | None,
        depth: float,
        smooth: bool = True,
    ) -> None:
        """Fill a polygon given in pixels, (N, 2).

        ``segment`` None leaves the segment numbers as they are (decals, shadows). Without
        ``smooth`` edges are not blended, so that neighbours show no seam.
        """
        pixels = np.asarray(points, dtype=np.float64)
        if len(pixels) < 3:
            return
        fixed = _fixed(pixels)
        line = cv2.LINE_AA if smooth else cv2.LINE_8
        cv2.fillPoly(self.rgb, [fixed], self.air.shade(colour, depth), line, _SHIFT)
        if segment is not None:
            cv2.fillPoly(self.segments, [fixed], (segment,), cv2.LINE_8, _SHIFT)

    def face(
        self,
        points: Points,
        colour: Colour,
        segment: int | None,
        smooth: bool = True,
    ) -> None:
        """Fill a flat polygon given in the world, (N, 3) metres."""
        visible = clip_near(np.asarray(points, dtype=np.float64))
        if len(visible) < 3:
            return
        depth = float(visible[:, 2].mean())
        self.polygon(self.camera.project(visible), colour, segment, depth, smooth)

    def stroke(
        self,
        points: Points,
        radius: float,
        colour: Colour,
        segment: int | None,
        depth: float,
    ) -> None:
        """Draw a line with round ends through pixels, (N, 2); ``radius`` in pixels."""
        fixed = _fixed(np.asarray(points, dtype=np.float64))
        thickness = max(1, round(2 * radius))
        cv2.polylines(
            self.rgb,
            [fixed],
            False,
            self.air.shade(colour, depth),
            thickness,
            cv2.LINE_AA,
            _SHIFT,
        )
        if segment is not None:
            cv2.polylines(self.segments, [fixed], False, (segment,), thickness, cv2.LINE_8, _SHIFT)

    def disc(
        self,
        center: Sequence[float] | NDArray[np.float64],
        radius: float,
        colour: Colour,
        segment: int | None,
        depth: float,
        stretch: float = 1.0,
    ) -> None:
        """Fill an ellipse around a pixel; ``radius`` in pixels across, ``stretch`` its height."""
        angles = np.linspace(0, 2 * np.pi, 25)[:-1]
        ring = np.stack([np.cos(angles), stretch * np.sin(angles)], axis=1) * radius
        self.polygon(ring + np.asarray(center, dtype=np.float64)[:2], colour, segment, depth)

    def glow(
        self, point: Sequence[float] | NDArray[np.float64], radius: float, colour: Colour
    ) -> None:
        """Note a light at a world point; ``radius`` in metres."""
        position = np.asarray(point, dtype=np.float64).reshape(1, 3)
        if position[0, 2] < 1.5:
            return
        x, y = self.camera.project(position)[0]
        self.glows.append(Glow(x, y, radius * self.camera.pixels_per_metre(position[0, 2]), colour))


def _fixed(pixels: NDArray[np.float64]) -> NDArray[np.int32]:
    """Pixels to OpenCV's fixed-point coordinates, (N, 1, 2) int32."""
    cut = np.clip(pixels, -_LIMIT, _LIMIT)
    return np.round(cut * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` with ``share`` (0-1) of ``second`` mixed in."""
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def scale(colour: Colour, factor: float) -> Colour:
    """A colour made lighter or darker."""
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
