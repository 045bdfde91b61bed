"""Cars, trucks, buses, trains, caravans and trailers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bdd100k_models.data.mini.canvas import Canvas, Colour, mix, scale
from bdd100k_models.data.mini.scene import SIZES, Actor
from bdd100k_models.data.mini.solids import Box, Face, Place, paint_box

GLASS: Colour = (44, 58, 74)
RUBBER: Colour = (24, 24, 26)
SHADOW: Colour = (40, 40, 44)
TAIL: Colour = (215, 25, 25)
LAMP: Colour = (255, 250, 215)


def paint_vehicle(canvas: Canvas, actor: Actor, segment: int, snow: bool) -> None:
    """Paint a four-wheeled vehicle or a train; ``snow`` covers what faces the sky."""
    place = Place(actor.x, actor.z, actor.yaw)
    top: Colour | None = (240, 242, 246) if snow else None
    _BUILDERS[actor.category](canvas, actor, place, segment, top)


def paint_shadow(canvas: Canvas, actor: Actor) -> None:
    """Darken the ground under a vehicle."""
    length, width, _ = SIZES[actor.category]
    place = Place(actor.x, actor.z, actor.yaw)
    corners = np.array(
        [
            [sx * (width / 2 + 0.15), 0.0, sz * (length / 2 + 0.2)]
            for sx, sz in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )
    canvas.face(place.to_world(corners), SHADOW, None)


def _wheels(
    canvas: Canvas,
    place: Place,
    segment: int,
    positions: tuple[float, ...],
    half_width: float,
    radius: float,
) -> None:
    """Wheels on the side of the vehicle that can be seen; ``positions`` along it, metres."""
    eye = np.array([0.0, canvas.camera.height, 0.0])
    angles = np.linspace(0, 2 * np.pi, 21)[:-1]
    for side in (-1.0, 1.0):
        hub = place.to_world(np.array([[side * half_width, radius, 0.0], [0.0, radius, 0.0]]))
        if np.dot(hub[0] - hub[1], eye - hub[0]) <= 0:
            continue
        for position in positions:
            for size, colour in ((radius, RUBBER), (radius * 0.5, (150, 152, 156))):
                ring = np.stack(
                    [
                        np.full(20, side * half_width),
                        radius + size * np.sin(angles),
                        position + size * np.cos(angles),
                    ],
                    axis=1,
                )
                canvas.face(place.to_world(ring), colour, segment)


def _underbody(
    canvas: Canvas, place: Place, segment: int, length: float, half_width: float, high: float
) -> None:
    """The dark space between the wheels, with the tyres at its ends."""
    faces = paint_box(
        canvas,
        place,
        Box(-length / 2 + 0.1, length / 2 - 0.1, 0.14, high, half_width - 0.1),
        (30, 30, 32),
        segment,
    )
    for name in ("rear", "front"):
        if name in faces:
            for left, right in ((0.0, 0.16), (0.84, 1.0)):
                corners = faces[name].patch(left, 0.0, right, 1.0)
                corners[:2, 1] = 0.0
                canvas.face(corners, RUBBER, segment)


def _lights(canvas: Canvas, face: Face, bottom: float, top: float, width: float) -> None:
    """Tail lamps on a rear face, head lamps on a front face."""
    colour = TAIL if face.name == "rear" else LAMP
    for left in (0.03, 0.97 - width):
        canvas.face(face.patch(left, bottom, left + width, top), colour, None)
        canvas.glow(face.at(left + width / 2, (bottom + top) / 2), 0.45, colour)


def _car(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["car"]
    half = width / 2
    tail = (0.55, 0.15, 0.05)[actor.style]
    high = (height, height + 0.12, height + 0.25)[actor.style]
    _underbody(canvas, place, segment, length, half, 0.36)
    body = Box(
        -length / 2, length / 2, 0.3, 0.88, half, -length / 2 + 0.05, length / 2 - 0.12, half - 0.04
    )
    faces = paint_box(canvas, place, body, actor.colour, segment, top)
    for name in ("rear", "front"):
        if name in faces:
            _lights(canvas, faces[name], 0.5, 0.86, 0.2)
            canvas.face(faces[name].patch(0.36, 0.22, 0.64, 0.48), (225, 225, 215), None)
            canvas.face(faces[name].patch(0.02, 0.0, 0.98, 0.14), (50, 50, 54), None)
    _wheels(canvas, place, segment, (-length / 2 + 0.85, length / 2 - 0.85), half + 0.01, 0.34)
    cabin = Box(
        -length / 2 + tail,
        length / 2 - 1.15,
        0.88,
        high,
        half - 0.06,
        -length / 2 + tail + 0.5,
        length / 2 - 1.95,
        half - 0.28,
    )
    faces = paint_box(canvas, place, cabin, actor.colour, segment, top)
    for name in ("rear", "front"):
        if name in faces:
            canvas.face(faces[name].patch(0.08, 0.1, 0.92, 0.88), GLASS, None)
            canvas.face(faces[name].patch(0.12, 0.5, 0.4, 0.85), mix(GLASS, LAMP, 0.25), None)
    for name in ("left", "right"):
        if name in faces:
            for left, right in ((0.12, 0.47), (0.52, 0.88)):
                canvas.face(faces[name].patch(left, 0.12, right, 0.86), GLASS, None)


def _truck(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["truck"]
    half = width / 2
    _underbody(canvas, place, segment, length, half, 0.95)
    cargo_paint: Colour = mix((236, 236, 232), actor.colour, (0.0, 0.15, 0.75)[actor.style])

    def cargo() -> None:
        faces = paint_box(
            canvas,
            place,
            Box(-length / 2, length / 2 - 2.3, 0.9, height, half),
            cargo_paint,
            segment,
            top,
        )
        if "rear" in faces:
            rear = faces["rear"]
            canvas.face(rear.patch(0.48, 0.0, 0.52, 1.0), (110, 110, 112), None)
            canvas.face(rear.patch(0.0, 0.0, 1.0, 0.05), (200, 60, 40), None)
            for left in (0.08, 0.56):
                outline = rear.patch(left, 0.1, left + 0.36, 0.94)
                canvas.face(outline, scale(cargo_paint, 0.86), None)
            _lights(canvas, rear, 0.0, 0.06, 0.14)
        for name in ("left", "right"):
            if name in faces:
                stripe = faces[name].patch(0.0, 0.3, 1.0, 0.5)
                canvas.face(stripe, mix(actor.colour, cargo_paint, 0.15), None)

    def cab() -> None:
        box = Box(
            length / 2 - 2.1,
            length / 2,
            0.7,
            2.9,
            half - 0.05,
            top_front=length / 2 - 0.25,
        )
        faces = paint_box(canvas, place, box, actor.colour, segment, top)
        if "front" in faces:
            canvas.face(faces["front"].patch(0.06, 0.5, 0.94, 0.9), GLASS, None)
            canvas.face(faces["front"].patch(0.2, 0.12, 0.8, 0.36), (60, 60, 64), None)
            _lights(canvas, faces["front"], 0.04, 0.16, 0.16)
        for name in ("left", "right"):
            if name in faces:
                low, high = (0.35, 0.9) if name == "right" else (0.1, 0.65)
                canvas.face(faces[name].patch(low, 0.52, high, 0.88), GLASS, None)

    for part in (cargo, cab) if np.cos(actor.yaw) < 0 else (cab, cargo):
        part()
    wheels = (-length / 2 + 1.0, -length / 2 + 2.1, length / 2 - 1.1)
    _wheels(canvas, place, segment, wheels, half + 0.01, 0.5)


def _bus(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["bus"]
    half = width / 2
    paint = mix(((238, 190, 30), (196, 36, 40), (38, 120, 190))[actor.style], actor.colour, 0.08)
    _underbody(canvas, place, segment, length, half, 0.5)
    body = Box(-length / 2, length / 2, 0.35, height, half)
    faces = paint_box(canvas, place, body, paint, segment, top)
    for name, face in faces.items():
        if name == "top":
            continue
        canvas.face(face.patch(0.0, 0.3, 1.0, 0.36), (240, 240, 236), None)
        if name in ("rear", "front"):
            low = 0.42 if name == "front" else 0.52
            canvas.face(face.patch(0.07, low, 0.93, 0.8), GLASS, None)
            canvas.face(face.patch(0.18, 0.84, 0.82, 0.95), (30, 30, 34), None)
            canvas.face(face.patch(0.26, 0.87, 0.74, 0.92), (255, 170, 40), None)
            _lights(canvas, face, 0.08, 0.2, 0.14)
            continue
        for index in range(7):
            left = 0.03 + index * 0.138
            canvas.face(face.patch(left, 0.46, left + 0.115, 0.82), GLASS, None)
        canvas.face(face.patch(0.06, 0.04, 0.15, 0.82), mix(GLASS, LAMP, 0.15), None)
    _wheels(canvas, place, segment, (-length / 2 + 2.4, length / 2 - 2.0), half + 0.01, 0.5)


def _train(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["train"]
    half = width / 2
    silver: Colour = (202, 206, 212)
    _underbody(canvas, place, segment, length, half, 0.6)
    # Parts one behind the other: a single long side would have one depth, and one haze, over all.
    parts = 4
    step = length / parts
    order = range(parts) if np.cos(actor.yaw) < 0 else reversed(range(parts))
    for index in order:
        back = -length / 2 + index * step
        box = Box(back, back + step, 0.5, height, half, top_half_width=half - 0.25)
        faces = paint_box(canvas, place, box, silver, segment, top)
        for name in ("left", "right"):
            if name not in faces:
                continue
            face = faces[name]
            canvas.face(face.patch(0.0, 0.12, 1.0, 0.3), actor.colour, None)
            for left in (0.04, 0.5):
                canvas.face(face.patch(left, 0.44, left + 0.27, 0.76), GLASS, None)
            canvas.face(face.patch(0.34, 0.1, 0.46, 0.8), scale(actor.colour, 0.75), None)
        for name, end in (("rear", 0), ("front", parts - 1)):
            if name in faces and index == end:
                face = faces[name]
                canvas.face(face.patch(0.0, 0.0, 1.0, 0.42), actor.colour, None)
                canvas.face(face.patch(0.12, 0.48, 0.88, 0.82), GLASS, None)
                canvas.face(face.patch(0.3, 0.86, 0.7, 0.96), (255, 190, 60), None)
                _lights(canvas, face, 0.2, 0.3, 0.16)


def _caravan(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["caravan"]
    half = width / 2
    cream: Colour = (246, 240, 222)
    stripe = mix(((120, 80, 50), (60, 140, 150), (200, 110, 50))[actor.style], actor.colour, 0.1)
    _underbody(canvas, place, segment, length, half, 0.5)
    box = Box(
        -length / 2, length / 2, 0.4, height, half, -length / 2 + 0.5, length / 2 - 0.7, half - 0.1
    )
    faces = paint_box(canvas, place, box, cream, segment, top)
    for name, face in faces.items():
        if name == "top":
            continue
        canvas.face(face.patch(0.0, 0.3, 1.0, 0.42), stripe, None)
        canvas.face(face.patch(0.0, 0.22, 1.0, 0.26), stripe, None)
        if name in ("rear", "front"):
            canvas.face(face.patch(0.2, 0.5, 0.8, 0.82), GLASS, None)
            canvas.face(face.patch(0.24, 0.54, 0.49, 0.78), (206, 190, 170), None)
            _lights(canvas, face, 0.06, 0.16, 0.12)
        else:
            canvas.face(face.patch(0.16, 0.5, 0.4, 0.78), GLASS, None)
            canvas.face(face.patch(0.58, 0.04, 0.76, 0.84), scale(cream, 0.72), None)
    _wheels(canvas, place, segment, (0.0,), half + 0.01, 0.36)


def _trailer(canvas: Canvas, actor: Actor, place: Place, segment: int, top: Colour | None) -> None:
    length, width, height = SIZES["trailer"]
    half = width / 2
    wood: Colour = (150, 104, 60)
    _underbody(canvas, place, segment, length, half, 0.55)
    bar = Box(length / 2, length / 2 + 1.0, 0.45, 0.55, 0.08)
    paint_box(canvas, place, bar, (60, 60, 62), segment)
    faces = paint_box(
        canvas, place, Box(-length / 2, length / 2, 0.5, 1.15, half), wood, segment, top
    )
    for name, face in faces.items():
        if name == "top":
            continue
        for low in (0.3, 0.63):
            canvas.face(face.patch(0.0, low, 1.0, low + 0.05), scale(wood, 0.55), None)
        if name == "rear":
            _lights(canvas, face, 0.02, 0.22, 0.14)
    load = Box(
        -length / 2 + 0.3, length / 2 - 0.3, 1.15, height, half - 0.15, -0.9, 0.9, half - 0.6
    )
    paint_box(canvas, place, load, (70, 112, 84), segment, top)
    _wheels(canvas, place, segment, (-0.5, 0.5), half + 0.01, 0.36)


_BUILDERS: dict[str, Callable[[Canvas, Actor, Place, int, Colour | None], None]] = {
    "car": _car,
    "truck": _truck,
    "bus": _bus,
    "train": _train,
    "caravan": _caravan,
    "trailer": _trailer,
}
