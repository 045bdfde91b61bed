"""Sky, ground, buildings, plants, posts, lights and signs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini.camera import HEIGHT, WIDTH
from bdd100k_models.data.mini.canvas import Canvas, Colour, mix, scale
from bdd100k_models.data.mini.categories import STUFF_ID
from bdd100k_models.data.mini.scene import Actor, Marking, Scene, Strip, Structure
from bdd100k_models.data.mini.solids import Box, Place, paint_box

#: The ground is painted in pieces between these distances, so that each has its own haze.
_STEPS = (1.0, 3, 4.5, 6, 8, 10.5, 13, 16, 20, 25, 31, 39, 50, 65, 85, 115, 160, 240, 400)
WINDOW: Colour = (70, 92, 116)
LIT: Colour = (255, 214, 130)
SNOW: Colour = (238, 241, 246)
STEEL: Colour = (112, 116, 120)


def paint_sky(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """The sky of the weather, down to a little below the horizon."""
    top, low = _SKIES[scene.weather]
    if scene.timeofday == "night":
        top, low = mix(top, (22, 28, 60), 0.84), mix(low, (52, 58, 92), 0.78)
    elif scene.timeofday == "dawn/dusk" and scene.weather in ("clear", "partly cloudy"):
        top, low = mix(top, (90, 80, 130), 0.5), mix(low, (255, 150, 80), 0.7)
    elif scene.timeofday == "dawn/dusk":
        top, low = mix(top, (96, 80, 96), 0.35), mix(low, (220, 160, 130), 0.35)
    end = int(canvas.camera.horizon) + 6
    share = np.linspace(0, 1, end)[:, None]
    rows = np.array(top) * (1 - share) + np.array(low) * share
    canvas.rgb[:end] = rows[:, None, :].astype(np.uint8)
    canvas.segments[:end] = STUFF_ID["sky"]
    dim = 0.35 if scene.timeofday == "night" else 1.0
    if scene.weather == "clear":
        x, y = rng.uniform(150, WIDTH - 150), rng.uniform(35, 110)
        body: Colour = (255, 246, 200) if dim == 1.0 else (226, 228, 236)
        if dim == 1.0:
            for radius, light in ((95, 0.2), (65, 0.35), (45, 0.55)):
                blended = canvas.rgb.copy()
                cv2.circle(blended, (int(x), int(y)), radius, body, -1, cv2.LINE_AA)
                canvas.rgb[:end] = cv2.addWeighted(
                    canvas.rgb[:end], 1 - light, blended[:end], light, 0
                )
        else:
            for _ in range(60):
                star = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, end)))
                cv2.circle(canvas.rgb, star, 1, (220, 222, 235), -1, cv2.LINE_AA)
        cv2.circle(canvas.rgb, (int(x), int(y)), 32, body, -1, cv2.LINE_AA)
    elif scene.weather == "partly cloudy":
        for _ in range(int(rng.integers(7, 11))):
            _cloud(canvas, rng, end, dim)
    elif scene.weather in ("overcast", "rainy"):
        strength = 26 if scene.weather == "overcast" else 16
        layers = rng.uniform(-1, 1, (7, 9)).astype(np.float32)
        texture = cv2.resize(layers, (WIDTH, end), interpolation=cv2.INTER_CUBIC)
        changed = canvas.rgb[:end].astype(np.float32) + texture[..., None] * strength * dim
        canvas.rgb[:end] = np.clip(changed, 0, 255).astype(np.uint8)


_SKIES: dict[str, tuple[Colour, Colour]] = {
    "clear": ((46, 112, 206), (160, 206, 242)),
    "partly cloudy": ((66, 130, 206), (176, 208, 236)),
    "overcast": ((150, 154, 160), (198, 200, 204)),
    "rainy": ((74, 82, 94), (120, 128, 138)),
    "snowy": ((186, 192, 202), (222, 226, 232)),
    "foggy": ((196, 198, 198), (206, 208, 208)),
}


def _cloud(canvas: Canvas, rng: np.random.Generator, end: int, dim: float) -> None:
    """A white heap of ellipses."""
    x, y = rng.uniform(0, WIDTH), rng.uniform(20, end * 0.75)
    size = rng.uniform(35, 75)
    for shade, drop in ((206.0, 8), (250.0, 0)):
        spread = np.random.default_rng(int(x * 1000))
        for _ in range(7):
            center = (
                int(x + spread.uniform(-1.6, 1.6) * size),
                int(y + spread.uniform(-0.25, 0.25) * size) + drop,
            )
            radius = spread.uniform(0.5, 0.9) * size
            tone = int(shade * (0.45 if dim < 1 else 1.0))
            axes = (int(radius), int(radius * 0.5))
            cv2.ellipse(
                canvas.rgb,
                center,
                axes,
                0,
                0,
                360,
                (tone, tone, min(255, tone + 4)),
                -1,
                cv2.LINE_AA,
            )


def paint_ground(canvas: Canvas, strip: Strip, cover: Colour | None, amount: float) -> None:
    """A strip of ground; ``cover`` (snow, water) is mixed in by ``amount``."""
    colour = strip.colour if cover is None else mix(strip.colour, cover, amount)
    for near, far in pairwise(_STEPS):
        z1, z2 = max(near, strip.z1), min(far, strip.z2)
        if z1 >= z2:
            continue
        canvas.face(
            [[strip.x1, 0, z1], [strip.x2, 0, z1], [strip.x2, 0, z2], [strip.x1, 0, z2]],
            colour,
            STUFF_ID[strip.category],
            smooth=False,
        )


def drivable_polygon(canvas: Canvas, strip: Strip) -> NDArray[np.int32]:
    """Outline of a strip in pixels, (4, 1, 2) int32."""
    corners = np.array(
        [
            [strip.x1, 0, max(1.2, strip.z1)],
            [strip.x2, 0, max(1.2, strip.z1)],
            [strip.x2, 0, strip.z2],
            [strip.x1, 0, strip.z2],
        ],
        dtype=np.float64,
    )
    return np.round(canvas.camera.project(corners)).astype(np.int32).reshape(-1, 1, 2)


def paint_marking(canvas: Canvas, marking: Marking, cover: Colour | None, amount: float) -> None:
    """A painted line; part of the ground below it."""
    colour = marking.colour if cover is None else mix(marking.colour, cover, amount)
    half = marking.width / 2
    if marking.z1 == marking.z2:
        corners = [
            [marking.x1, 0, marking.z1 - half],
            [marking.x2, 0, marking.z1 - half],
            [marking.x2, 0, marking.z1 + half],
            [marking.x1, 0, marking.z1 + half],
        ]
        canvas.face(corners, colour, None)
        return
    cuts = [z for z in _STEPS if marking.z1 < z < marking.z2]
    edges = [marking.z1, *cuts, marking.z2]
    if marking.dashed:
        starts = np.arange(2.0, 80.0, 6.0)
        pieces = [(float(z), float(z) + 2.6) for z in starts]
    else:
        pieces = list(pairwise(edges))
    for near, far in pieces:
        canvas.face(
            [
                [marking.x1 - half, 0, near],
                [marking.x1 + half, 0, near],
                [marking.x1 + half, 0, far],
                [marking.x1 - half, 0, far],
            ],
            colour,
            None,
        )


def paint_structure(
    canvas: Canvas, structure: Structure, weather: str, night: bool, rng: np.random.Generator
) -> None:
    """Paint one part of the surroundings."""
    _KINDS[structure.kind](canvas, structure, weather == "snowy", night, rng)


def _block(structure: Structure, low: float, high: float) -> tuple[Place, Box]:
    """The box that a structure fills between two heights."""
    place = Place((structure.x1 + structure.x2) / 2, (structure.z1 + structure.z2) / 2)
    depth = (structure.z2 - structure.z1) / 2
    return place, Box(-depth, depth, low, high, (structure.x2 - structure.x1) / 2)


def _tower(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    place, box = _block(item, 0.0, item.height)
    faces = paint_box(canvas, place, box, item.colour, STUFF_ID["building"], SNOW if snow else None)
    for name in ("left", "right", "rear"):
        if name not in faces:
            continue
        face = faces[name]
        across = 3 if name == "rear" else max(2, round((item.z2 - item.z1) / 3.2))
        floors = max(2, round(item.height / 3.4))
        canvas.face(face.patch(0.0, 0.0, 1.0, 0.9 / floors), scale(item.colour, 0.6), None)
        for floor in range(floors):
            for column in range(across):
                left = (column + 0.22) / across
                bottom = (floor + (0.12 if floor == 0 else 0.3)) / floors
                pane = face.patch(left, bottom, left + 0.56 / across, (floor + 0.82) / floors)
                lit = night and rng.random() < 0.4
                glass = (WINDOW, (96, 124, 140), (52, 60, 72))[item.style]
                canvas.face(pane, LIT if lit else glass, None)
                if lit and floor < 3:
                    canvas.glow(pane.mean(axis=0), 0.8, LIT)


def _house(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["building"]
    place, box = _block(item, 0.0, item.height)
    faces = paint_box(canvas, place, box, item.colour, segment)
    for name in ("left", "right", "rear"):
        if name not in faces:
            continue
        face = faces[name]
        for left in (0.14, 0.64):
            lit = night and rng.random() < 0.6
            pane = face.patch(left, 0.36, left + 0.22, 0.76)
            canvas.face(face.patch(left - 0.02, 0.33, left + 0.24, 0.79), (240, 240, 236), None)
            canvas.face(pane, LIT if lit else WINDOW, None)
            if lit:
                canvas.glow(pane.mean(axis=0), 0.7, LIT)
        canvas.face(face.patch(0.43, 0.0, 0.57, 0.62), (104, 60, 44), None)
    roof: Colour = ((150, 62, 48), (92, 84, 88), (120, 84, 60))[item.style]
    roof = SNOW if snow else roof
    high = item.height + 2.6
    eave = 0.5
    x1, x2 = item.x1 - eave, item.x2 + eave
    z1, z2 = item.z1 - eave, item.z2 + eave
    middle = (item.x1 + item.x2) / 2
    toward = x2 if middle < 0 else x1
    canvas.face(
        [
            [toward, item.height, z1],
            [middle, high, z1],
            [middle, high, z2],
            [toward, item.height, z2],
        ],
        roof,
        segment,
    )
    gable = [[x1, item.height, z1], [x2, item.height, z1], [middle, high, z1]]
    canvas.face(gable, scale(roof, 0.85), segment)


def _mall(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    place, box = _block(item, 0.0, item.height)
    faces = paint_box(canvas, place, box, item.colour, STUFF_ID["building"], SNOW if snow else None)
    front = faces.get("rear")
    if front is None:
        return
    canvas.face(front.patch(0.0, 0.78, 1.0, 0.95), mix(item.colour, (190, 40, 50), 0.6), None)
    for index in range(10):
        left = 0.02 + index * 0.098
        pane = front.patch(left, 0.08, left + 0.08, 0.55)
        canvas.face(pane, LIT if night else WINDOW, None)
        if night:
            canvas.glow(pane.mean(axis=0), 1.2, scale(LIT, 0.5))


def _tree(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["vegetation"]
    unit = canvas.camera.pixels_per_metre(item.z1)
    base, crown = canvas.camera.project(
        np.array([[item.x1, 0.0, item.z1], [item.x1, item.height * 0.68, item.z1]])
    )
    canvas.stroke(np.array([base, crown]), 0.17 * unit, (92, 66, 44), segment, item.z1)
    leaves = mix(item.colour, (44, 92, 40), 0.65)
    radius = item.height * 0.27 * unit
    for ring, tone in ((1.0, 0.75), (0.72, 1.0), (0.4, 1.25)):
        for _ in range(6):
            offset = rng.uniform(-1, 1, 2) * radius * 0.62 * ring
            shift = (0, -radius * (1 - ring) * 0.6)
            colour = scale(leaves, tone)
            if snow and tone > 0.9:
                colour = mix(colour, SNOW, 0.75)
            canvas.disc(
                crown + offset + shift, radius * (0.45 + 0.2 * ring), colour, segment, item.z1
            )


def _hedge(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    colour = mix(item.colour, (52, 104, 44), 0.9)
    _panels(canvas, item, STUFF_ID["vegetation"], SNOW if snow else colour, colour, 6)


def _wall(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    _panels(
        canvas, item, STUFF_ID["wall"], SNOW if snow else scale(item.colour, 1.15), item.colour, 10
    )
    if item.style == 1:
        return
    # Courses of bricks.
    for share in (0.25, 0.5, 0.75):
        up = item.height * share
        canvas.face(
            [
                [item.x1, up, item.z1],
                [item.x1, up + 0.06, item.z1],
                [item.x1, up + 0.06, item.z2],
                [item.x1, up, item.z2],
            ],
            scale(item.colour, 0.7),
            None,
        )


def _panels(
    canvas: Canvas, item: Structure, segment: int, cap: Colour, colour: Colour, count: int
) -> None:
    """A wall along the road, in ``count`` pieces, far ones first."""
    half = 0.22
    edges = np.geomspace(item.z1, item.z2, count + 1)
    for index in reversed(range(count)):
        place = Place(item.x1, 0.0)
        box = Box(float(edges[index]), float(edges[index + 1]), 0.0, item.height, half)
        tone = 1.0 if index % 2 else 0.93
        paint_box(canvas, place, box, scale(colour, tone), segment, cap)


def _fence(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["fence"]
    light: Colour = (226, 220, 206) if item.style == 0 else (128, 136, 132)
    dark: Colour = (176, 166, 148) if item.style == 0 else (92, 100, 98)
    edges = np.geomspace(item.z1, item.z2, 34)
    for index in reversed(range(33)):
        z1, z2 = float(edges[index]), float(edges[index + 1])
        up = item.height * (1.0 if index % 2 else 0.88)
        canvas.face(
            [[item.x1, 0, z1], [item.x1, 0, z2], [item.x1, up, z2], [item.x1, up, z1]],
            light if index % 2 else dark,
            segment,
        )
    for up in (0.3, 0.7):
        low, high = item.height * up, item.height * up + 0.1
        canvas.face(
            [
                [item.x1, low, item.z1],
                [item.x1, low, item.z2],
                [item.x1, high, item.z2],
                [item.x1, high, item.z1],
            ],
            scale(dark, 0.75),
            None,
        )


def _guard_rail(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["guard rail"]
    edges = np.geomspace(item.z1, item.z2, 22)
    for index in reversed(range(21)):
        z1, z2 = float(edges[index]), float(edges[index + 1])
        post = [[item.x1, 0, z1], [item.x1 + 0.16, 0, z1], [item.x1 + 0.16, 0.5, z1]]
        canvas.face([*post, [item.x1, 0.5, z1]], (120, 122, 126), segment)
        for low, high, tone in ((0.34, 0.52, 0.8), (0.52, 0.72, 1.1), (0.72, item.height, 0.9)):
            canvas.face(
                [[item.x1, low, z1], [item.x1, low, z2], [item.x1, high, z2], [item.x1, high, z1]],
                scale(item.colour, tone),
                segment,
            )


def _hills(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["vegetation"]
    xs = np.linspace(item.x1, item.x2, 40)
    phase = rng.uniform(0, 6, 2)
    ups = item.height * (
        0.55 + 0.3 * np.sin(xs / 45 + phase[0]) + 0.15 * np.sin(xs / 17 + phase[1])
    )
    crest = [[float(x), float(up), item.z1] for x, up in zip(xs, ups, strict=True)]
    colour: Colour = mix((70, 104, 66), SNOW, 0.6) if snow else (70, 104, 66)
    canvas.face([*crest, [item.x2, 0, item.z1], [item.x1, 0, item.z1]], colour, segment)


def _post(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    ends = canvas.camera.project(
        np.array([[item.x1, 0.0, item.z1], [item.x1, item.height, item.z1]])
    )
    radius = 0.11 * canvas.camera.pixels_per_metre(item.z1)
    canvas.stroke(ends, radius, item.colour, STUFF_ID["pole"], item.z1)


def _lamp(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    points = np.array(
        [
            [item.x1, 0.0, item.z1],
            [item.x1, item.height, item.z1],
            [item.x2, item.height + 0.35, item.z1],
        ]
    )
    unit = canvas.camera.pixels_per_metre(item.z1)
    pole = STUFF_ID["pole"]
    pixels = canvas.camera.project(points)
    canvas.stroke(pixels, 0.12 * unit, STEEL, pole, item.z1)
    head = pixels[1:] * [[0.25], [0.75]]
    canvas.stroke(
        np.array([head.sum(axis=0), pixels[2]]), 0.17 * unit, (216, 214, 196), pole, item.z1
    )
    canvas.glow(points[2], 1.3, (255, 226, 160))


def _arm(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    points = np.array(
        [
            [item.x1, 0.0, item.z1],
            [item.x1, item.height + 0.3, item.z1],
            [item.x2, item.height + 0.3, item.z1],
        ]
    )
    radius = 0.13 * canvas.camera.pixels_per_metre(item.z1)
    canvas.stroke(canvas.camera.project(points), radius, item.colour, STUFF_ID["pole"], item.z1)


def _gantry(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    unit = canvas.camera.pixels_per_metre(item.z1)
    points = np.array(
        [
            [item.x1, 0.0, item.z1],
            [item.x1, item.height, item.z1],
            [item.x2, item.height, item.z1],
            [item.x2, 0.0, item.z1],
        ]
    )
    pixels = canvas.camera.project(points)
    canvas.stroke(pixels, 0.2 * unit, item.colour, STUFF_ID["pole"], item.z1)
    canvas.stroke(
        pixels[1:3] + np.array([0, 0.9 * unit]), 0.12 * unit, item.colour, STUFF_ID["pole"], item.z1
    )


def _overpass(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["bridge"]
    place = Place((item.x1 + item.x2) / 2, item.z1)
    half = (item.x2 - item.x1) / 2
    for x in (item.x1 + 6, item.x2 - 6):
        paint_box(
            canvas, Place(x, item.z1 + 2), Box(-1, 1, 0, item.height, 0.9), item.colour, segment
        )
    under = [
        [item.x1 - 60, item.height, item.z1],
        [item.x2 + 60, item.height, item.z1],
        [item.x2 + 60, item.height, item.z2],
        [item.x1 - 60, item.height, item.z2],
    ]
    canvas.face(under, scale(item.colour, 0.5), segment)
    deck = Box(0, 9, item.height, item.height + 2.4, half + 60)
    faces = paint_box(canvas, place, deck, item.colour, segment, SNOW if snow else None)
    if "rear" in faces:
        canvas.face(faces["rear"].patch(0, 0.7, 1, 0.78), scale(item.colour, 0.75), None)


def _canopy(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["building"]
    for z in (item.z2 - 1.0, item.z1 + 1.0):
        for x in (item.x1 + 2.0, item.x2 - 2.0):
            pillar = Box(-0.3, 0.3, 0, item.height, 0.3)
            paint_box(canvas, Place(x, z), pillar, (224, 224, 220), segment)
    ceiling = [
        [item.x1, item.height, item.z1],
        [item.x2, item.height, item.z1],
        [item.x2, item.height, item.z2],
        [item.x1, item.height, item.z2],
    ]
    canvas.face(ceiling, (232, 232, 226), segment)
    for x in np.linspace(item.x1 + 3, item.x2 - 3, 4):
        for z in (item.z1 + 2.5, item.z2 - 2.5):
            corners = [
                [x - 0.6, z - 0.4],
                [x + 0.6, z - 0.4],
                [x + 0.6, z + 0.4],
                [x - 0.6, z + 0.4],
            ]
            canvas.face([[a, item.height, b] for a, b in corners], (255, 255, 240), None)
            canvas.glow((float(x), item.height, z), 0.7, (130, 124, 106))
    place, box = _block(item, item.height, item.height + 1.3)
    faces = paint_box(canvas, place, box, item.colour, segment, SNOW if snow else None)
    if "rear" in faces:
        canvas.face(faces["rear"].patch(0, 0.36, 1, 0.52), (245, 245, 240), None)


def _pump(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["static"]
    island = Box(-1.2, 1.2, 0.0, 0.18, 0.8)
    paint_box(canvas, Place(item.x1, item.z1), island, (206, 204, 196), segment)
    body = Box(-0.4, 0.4, 0.18, item.height, 0.55)
    faces = paint_box(canvas, Place(item.x1, item.z1), body, item.colour, segment)
    for face in faces.values():
        if face.name != "top":
            canvas.face(face.patch(0.14, 0.56, 0.86, 0.84), (226, 234, 226), None)
            canvas.face(face.patch(0.2, 0.1, 0.8, 0.46), (60, 60, 64), None)


def _price_mast(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    segment = STUFF_ID["static"]
    body = Box(-0.2, 0.2, 0.0, item.height, 0.9)
    faces = paint_box(canvas, Place(item.x1, item.z1), body, item.colour, segment)
    if "rear" in faces:
        for low in (0.12, 0.36, 0.6):
            canvas.face(faces["rear"].patch(0.12, low, 0.88, low + 0.17), (32, 32, 36), None)
            canvas.face(faces["rear"].patch(0.3, low + 0.04, 0.8, low + 0.13), (255, 190, 60), None)


def _portal(
    canvas: Canvas, item: Structure, snow: bool, night: bool, rng: np.random.Generator
) -> None:
    """A hill with the mouth of a tunnel."""
    z = item.z1
    hill = mix((98, 126, 66), SNOW, 0.7) if snow else (98, 126, 66)
    crest = [
        [float(x), float(up), z]
        for x, up in zip(
            np.linspace(-90, 90, 25),
            item.height
            + 1.0
            + 1.6 * np.cos(np.linspace(-3.6, 3.6, 25))
            + rng.uniform(-0.3, 0.3, 25),
            strict=True,
        )
    ]
    canvas.face([[-90, 0, z], *crest, [90, 0, z]], hill, STUFF_ID["terrain"])
    segment = STUFF_ID["tunnel"]
    wide = 2.2
    front = [
        [item.x1 - wide, 0, z],
        [item.x2 + wide, 0, z],
        [item.x2 + wide, item.height + 1.2, z],
        [item.x1 - wide, item.height + 1.2, z],
    ]
    canvas.face(front, item.colour, segment)
    low = scale(item.colour, 0.72)
    for up in (0.25, 0.5, 0.75):
        canvas.face(
            [
                [item.x1 - wide, item.height * up, z],
                [item.x2 + wide, item.height * up, z],
                [item.x2 + wide, item.height * up + 0.1, z],
                [item.x1 - wide, item.height * up + 0.1, z],
            ],
            low,
            None,
        )

    def arch(depth: float, shrink: float) -> NDArray[np.float64]:
        angles = np.linspace(0, np.pi, 25)
        middle, half = (item.x1 + item.x2) / 2, (item.x2 - item.x1) / 2
        xs = middle + np.cos(angles) * half * shrink
        ups = 0.35 * item.height + np.sin(angles) * item.height * 0.65 * shrink
        upper = np.stack([xs, ups, np.full_like(xs, depth)], axis=1)
        return np.concatenate([[[xs[0], 0.0, depth]], upper, [[xs[-1], 0.0, depth]]], axis=0)

    canvas.face(arch(z, 1.06), (206, 200, 190), segment)
    for share, tone in ((0.0, 50.0), (0.15, 42.0), (0.4, 34.0), (1.0, 26.0)):
        depth = z + share * (item.z2 - item.z1)
        canvas.face(arch(depth, 1.0), (tone + 8, tone, tone - 6), segment)
    # Inside, the road goes on below rows of lamps.
    far = item.z2
    floor = [[item.x1 + 0.6, 0, z], [item.x2 - 0.6, 0, z], [item.x2 - 0.6, 0, far]]
    canvas.face([*floor, [item.x1 + 0.6, 0, far]], (50, 48, 46), STUFF_ID["road"])
    middle, half = (item.x1 + item.x2) / 2, (item.x2 - item.x1) / 2
    for depth in np.geomspace(z + 1.5, far, 9)[::-1]:
        for side in (-0.62, 0.62):
            point = np.array([middle + side * half, item.height * 0.8, float(depth)])
            x, y = canvas.camera.project(point[None])[0]
            size = 0.3 * canvas.camera.pixels_per_metre(float(depth))
            cv2.ellipse(
                canvas.rgb,
                (int(x), int(y)),
                (max(1, int(size * 1.4)), max(1, int(size * 0.6))),
                0,
                0,
                360,
                (255, 206, 120),
                -1,
                cv2.LINE_AA,
            )
            canvas.glow(point, 0.9, (255, 206, 120))


_KINDS: dict[str, Callable[[Canvas, Structure, bool, bool, np.random.Generator], None]] = {
    "tower": _tower,
    "house": _house,
    "mall": _mall,
    "tree": _tree,
    "hedge": _hedge,
    "wall": _wall,
    "fence": _fence,
    "guard_rail": _guard_rail,
    "hills": _hills,
    "post": _post,
    "lamp": _lamp,
    "arm": _arm,
    "gantry": _gantry,
    "overpass": _overpass,
    "canopy": _canopy,
    "pump": _pump,
    "price_mast": _price_mast,
    "portal": _portal,
}


def paint_traffic_light(canvas: Canvas, actor: Actor, segment: int) -> None:
    """A signal head with three lamps, one of them on."""
    unit = canvas.camera.pixels_per_metre(actor.z)
    half = 0.24
    corners = np.array(
        [
            [actor.x - half, actor.base, actor.z],
            [actor.x + half, actor.base, actor.z],
            [actor.x + half, actor.base + actor.height, actor.z],
            [actor.x - half, actor.base + actor.height, actor.z],
        ]
    )
    canvas.face(corners, (222, 176, 36), segment)
    inner = corners + np.array(
        [[0.05, 0.05, 0], [-0.05, 0.05, 0], [-0.05, -0.05, 0], [0.05, -0.05, 0]]
    )
    canvas.face(inner, (26, 26, 28), segment)
    lamps: tuple[tuple[Colour, Colour], ...] = (
        ((255, 50, 40), (84, 26, 24)),
        ((255, 190, 40), (84, 66, 22)),
        ((60, 245, 120), (22, 74, 40)),
    )
    for index, (bright, dull) in enumerate(lamps):
        point = np.array(
            [[actor.x, actor.base + actor.height * (0.82 - 0.32 * index), actor.z - 0.01]]
        )
        on = index == actor.style
        canvas.disc(
            canvas.camera.project(point)[0], 0.16 * unit, bright if on else dull, segment, actor.z
        )
        if on:
            canvas.glow(point[0], 0.5, bright)


def paint_traffic_sign(canvas: Canvas, actor: Actor, segment: int) -> None:
    """A stop sign, a warning diamond, a speed limit, a direction board or a brand board."""
    unit = canvas.camera.pixels_per_metre(actor.z)
    middle = canvas.camera.project(np.array([[actor.x, actor.base + actor.height / 2, actor.z]]))[0]
    half = actor.height / 2 * unit

    def shape(corners: int, turn: float, share: float) -> NDArray[np.float64]:
        angles = turn + np.arange(corners) * 2 * np.pi / corners
        ring: NDArray[np.float64] = middle + half * share * np.stack(
            [np.cos(angles), np.sin(angles)], axis=1
        )
        return ring

    def bar(left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        canvas.polygon(middle + corners * half, colour, segment, actor.z)

    if actor.style == 0:
        canvas.polygon(shape(8, np.pi / 8, 1.08), (245, 245, 245), segment, actor.z)
        canvas.polygon(shape(8, np.pi / 8, 0.96), (200, 24, 30), segment, actor.z)
        bar(-0.55, -0.14, 0.55, 0.14, (245, 245, 245))
    elif actor.style == 1:
        canvas.polygon(shape(4, 0.0, 1.2), (30, 30, 30), segment, actor.z)
        canvas.polygon(shape(4, 0.0, 1.08), (250, 196, 20), segment, actor.z)
        bar(-0.1, -0.5, 0.1, 0.15, (30, 30, 30))
        bar(-0.1, 0.28, 0.1, 0.46, (30, 30, 30))
    elif actor.style == 2:
        canvas.disc(middle, half, (204, 26, 32), segment, actor.z)
        canvas.disc(middle, half * 0.76, (250, 250, 250), segment, actor.z)
        bar(-0.36, -0.28, -0.1, 0.3, (26, 26, 28))
        bar(0.08, -0.28, 0.38, 0.3, (26, 26, 28))
    elif actor.style == 3:
        bar(-2.1, -1.0, 2.1, 1.0, (245, 245, 245))
        bar(-2.02, -0.92, 2.02, 0.92, actor.colour)
        bar(-1.6, -0.55, 1.1, -0.25, (245, 245, 245))
        bar(-1.6, 0.1, 0.5, 0.4, (245, 245, 245))
        arrow = np.array([[1.3, 0.0], [1.6, 0.5], [1.0, 0.5]])
        canvas.polygon(middle + arrow * half, (245, 245, 245), segment, actor.z)
    else:
        bar(-1.0, -1.0, 1.0, 1.0, (245, 245, 245))
        bar(-0.9, -0.9, 0.9, 0.9, actor.colour)
        canvas.disc(middle, half * 0.55, (245, 245, 245), segment, actor.z)


def paint_hood(canvas: Canvas, half_width: float) -> None:
    """The bonnet of the camera's own car at the lower edge."""
    angles = np.linspace(np.pi, 2 * np.pi, 30)
    middle = canvas.camera.center_x
    ring = np.stack(
        [middle + half_width * np.cos(angles), HEIGHT + 6 + 62 * np.sin(angles)], axis=1
    )
    canvas.polygon(ring, (40, 42, 48), STUFF_ID["ego vehicle"], 0.5)
    shine = np.stack(
        [middle + half_width * 0.7 * np.cos(angles), HEIGHT + 6 + 46 * np.sin(angles)], axis=1
    )
    canvas.polygon(shine, (66, 70, 78), None, 0.5)
