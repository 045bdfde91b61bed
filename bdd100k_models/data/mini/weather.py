"""Light and weather over a painted scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini.camera import HEIGHT, WIDTH
from bdd100k_models.data.mini.canvas import Air, Canvas, Colour, mix
from bdd100k_models.data.mini.categories import STUFF_ID
from bdd100k_models.data.mini.scene import Scene

#: tint, haze and visibility in metres by day.
_AIR: dict[str, tuple[Colour, Colour, float]] = {
    "clear": ((1.08, 1.04, 0.96), (160, 206, 242), 700.0),
    "partly cloudy": ((1.0, 1.0, 1.0), (176, 208, 236), 500.0),
    "overcast": ((0.84, 0.85, 0.88), (190, 192, 196), 260.0),
    "rainy": ((0.62, 0.66, 0.72), (120, 128, 138), 130.0),
    "snowy": ((0.94, 0.96, 1.02), (222, 226, 232), 150.0),
    "foggy": ((0.9, 0.9, 0.9), (206, 208, 208), 34.0),
}
#: What covers the ground, and how much of the road's colour it takes.
_COVER: dict[str, tuple[Colour, float]] = {
    "snowy": ((238, 241, 246), 0.45),
    "rainy": ((44, 50, 60), 0.35),
}
_WET = ("road", "sidewalk", "parking", "ground")


def air(scene: Scene) -> Air:
    """Light and haze of a scene."""
    tint, haze, visibility = _AIR[scene.weather]
    if scene.timeofday == "night":
        return Air(
            (tint[0] * 0.52, tint[1] * 0.54, tint[2] * 0.66),
            mix(haze, (46, 52, 82), 0.76),
            visibility,
        )
    if scene.timeofday == "dawn/dusk":
        return Air(
            (tint[0] * 0.94, tint[1] * 0.78, tint[2] * 0.68),
            mix(haze, (226, 150, 110), 0.35),
            visibility,
        )
    return Air(tint, haze, visibility)


def cover(scene: Scene, category: str) -> tuple[Colour | None, float]:
    """What lies on a kind of ground, and the share of the ground's colour that it takes."""
    if scene.weather not in _COVER:
        return None, 0.0
    colour, amount = _COVER[scene.weather]
    if scene.weather == "snowy" and category != "road":
        amount = 0.86
    return colour, amount


def finish(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture as the camera takes it.

    Args:
        canvas: the painted scene.
        scene: its description.
        rng: for drops, flakes and noise.

    Returns:
        (720, 1280, 3) uint8 RGB.
    """
    picture = canvas.rgb
    if scene.weather == "rainy":
        picture = _reflect(canvas)
    picture = _roughen(picture, canvas, rng)
    if scene.timeofday == "night":
        picture = _shine(picture, canvas, 0.7)
    elif scene.timeofday == "dawn/dusk" or scene.weather in ("rainy", "foggy"):
        picture = _shine(picture, canvas, 0.45)
    if scene.weather == "rainy":
        picture = _rain(picture, rng)
    elif scene.weather == "snowy":
        picture = _snow(picture, rng)
    picture = np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.6), dtype=np.uint8)
    noise = rng.integers(-5, 6, (HEIGHT, WIDTH, 1), dtype=np.int16)
    noisy: NDArray[np.uint8] = np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return noisy


def _reflect(canvas: Canvas) -> NDArray[np.uint8]:
    """Mirror what stands above the horizon in the wet ground."""
    horizon = int(canvas.camera.horizon)
    rows = np.arange(HEIGHT)
    source = np.clip(horizon - (rows - horizon), 0, HEIGHT - 1)
    mirrored = cv2.blur(canvas.rgb[source], (5, 21))
    wet = np.isin(canvas.segments, [STUFF_ID[name] for name in _WET])
    wet[:horizon] = False
    picture = canvas.rgb.copy()
    picture[wet] = (picture[wet] * 0.62 + mirrored[wet] * 0.38).astype(np.uint8)
    return picture


def _roughen(
    picture: NDArray[np.uint8], canvas: Canvas, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Vary the lightness a little, more so on the ground than elsewhere."""
    coarse = cv2.resize(
        rng.uniform(-1, 1, (45, 80)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_LINEAR,
    )
    fine = cv2.resize(
        rng.uniform(-1, 1, (HEIGHT // 2, WIDTH // 2)).astype(np.float32),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_LINEAR,
    )
    strength = np.where(canvas.segments == STUFF_ID["sky"], 0.0, 1.0).astype(np.float32)
    ground = np.isin(
        canvas.segments, [STUFF_ID[n] for n in ("terrain", "vegetation", "rail track")]
    )
    strength[ground] = 2.4
    change = (coarse * 4 + fine * 5) * strength
    rough: NDArray[np.uint8] = np.clip(
        picture.astype(np.float32) + change[..., None], 0, 255
    ).astype(np.uint8)
    return rough


def _shine(picture: NDArray[np.uint8], canvas: Canvas, strength: float) -> NDArray[np.uint8]:
    """Add the light of lamps, at a quarter of the size, as it is soft anyway."""
    light = np.zeros((HEIGHT // 4, WIDTH // 4, 3), dtype=np.float32)
    for glow in canvas.glows:
        radius = min(glow.radius, 70.0) / 4
        center = (int(glow.x / 4), int(glow.y / 4))
        if not (-20 < center[0] < WIDTH // 4 + 20 and -20 < center[1] < HEIGHT // 4 + 20):
            continue
        spot = np.zeros_like(light)
        cv2.circle(spot, center, max(1, round(radius)), glow.colour, -1)
        light = np.maximum(light, spot)
    soft = cv2.GaussianBlur(light, (0, 0), 3.0)
    full = cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    lit: NDArray[np.uint8] = np.clip(picture + full * strength * 0.85, 0, 255).astype(np.uint8)
    return lit


def _rain(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Streaks in the air and drops on the windscreen."""
    layer = picture.copy()
    slant = rng.uniform(-6, 6)
    for x, y, length in zip(
        rng.uniform(0, WIDTH, 420),
        rng.uniform(-20, HEIGHT, 420),
        rng.uniform(14, 42, 420),
        strict=True,
    ):
        end = (int(x + slant * length / 20), int(y + length))
        cv2.line(layer, (int(x), int(y)), end, (206, 214, 224), 1, cv2.LINE_AA)
    picture = np.asarray(cv2.addWeighted(picture, 0.55, layer, 0.45, 0), dtype=np.uint8)
    soft = cv2.blur(picture, (25, 25))
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for _ in range(26):
        center = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, HEIGHT)))
        axes = (int(rng.uniform(4, 10)), int(rng.uniform(6, 14)))
        cv2.ellipse(mask, center, axes, 0, 0, 360, (255,), -1)
    drops = mask > 0
    picture[drops] = np.clip(soft[drops].astype(np.int16) + 22, 0, 255).astype(np.uint8)
    return picture


def _snow(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Falling flakes of several sizes."""
    layer = picture.copy()
    for radius, count in ((1, 320), (2, 170), (3, 60), (5, 14)):
        for x, y in zip(rng.uniform(0, WIDTH, count), rng.uniform(0, HEIGHT, count), strict=True):
            cv2.circle(layer, (int(x), int(y)), radius, (250, 251, 254), -1, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(picture, 0.25, layer, 0.75, 0), dtype=np.uint8)
