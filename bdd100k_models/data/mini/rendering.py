"""From the description of a scene to pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini import people, scenery, vehicles, weather
from bdd100k_models.data.mini.camera import HEIGHT, WIDTH
from bdd100k_models.data.mini.canvas import Canvas
from bdd100k_models.data.mini.categories import STUFF_ID
from bdd100k_models.data.mini.scene import GRASS, Actor, Scene, Strip, Structure

#: Number of the first labelled object in a map of segments; lower ones are stuff.
FIRST_OBJECT = 101

#: Values of the map of drivable areas.
DRIVABLE_ID = {"direct": 0, "alternative": 1, "background": 2}

#: Painted first, by distance: what closes the view.
_BACKDROPS = ("hills", "mall", "portal")
#: Painted next, from the outside inwards: what runs along the road.
_ALONG = ("tower", "house", "wall", "fence", "hedge", "guard_rail")


@dataclass(frozen=True)
class PaintedObject:
    """A labelled object in the picture.

    Attributes:
        actor: its description.
        segment: its number in the map of segments.
        area: pixels that it covered when it was painted, before others came in front of it.
        truncated: whether it reaches over the edge of the picture.
        joints: (18, 2) float64, pixels, of people.
    """

    actor: Actor
    segment: int
    area: int
    truncated: bool
    joints: NDArray[np.float64] | None


@dataclass(frozen=True)
class Rendering:
    """A painted scene.

    Attributes:
        scene: its description.
        rgb: (720, 1280, 3) uint8.
        segments: (720, 1280) int32, which segment each pixel shows: a stuff id or the number of
            an object.
        drivable: (720, 1280) uint8, values of ``DRIVABLE_ID``.
        objects: in the order of painting.
    """

    scene: Scene
    rgb: NDArray[np.uint8]
    segments: NDArray[np.int32]
    drivable: NDArray[np.uint8]
    objects: tuple[PaintedObject, ...]


def render(scene: Scene, frame: int | None = None) -> Rendering:
    """Paint a scene; the same pixels for the same description.

    ``frame`` of a video: rain, snow and noise differ from frame to frame, the rest does not.
    """
    rng = np.random.default_rng(scene.seed)
    canvas = Canvas(scene.camera, weather.air(scene))
    scenery.paint_sky(canvas, scene, rng)
    lanes = _paint_ground(canvas, scene)
    night = scene.timeofday == "night"
    first, along, standing = _order(scene.structures)
    for item in first + along:
        scenery.paint_structure(canvas, item, scene.weather, night, rng)
    objects: list[PaintedObject] = []
    todo: list[tuple[float, Callable[[], None]]] = []
    for item in standing:
        todo.append((item.z1, _structure_painter(canvas, item, scene.weather, night, rng)))
    for index, actor in enumerate(scene.actors):
        todo.append((actor.z, _actor_painter(canvas, actor, FIRST_OBJECT + index, scene, objects)))
    for _, paint in sorted(todo, key=lambda entry: -entry[0]):
        paint()
    if scene.hood:
        scenery.paint_hood(canvas, scene.hood)
    visible_ground = np.isin(canvas.segments, (STUFF_ID["road"],))
    drivable = np.where(visible_ground, lanes, DRIVABLE_ID["background"]).astype(np.uint8)
    if frame is not None:
        rng = np.random.default_rng((scene.seed, frame))
    return Rendering(
        scene, weather.finish(canvas, scene, rng), canvas.segments, drivable, tuple(objects)
    )


def _paint_ground(canvas: Canvas, scene: Scene) -> NDArray[np.uint8]:
    """Paint strips and markings; gives the drivable areas without what stands on them."""
    lanes = np.full((HEIGHT, WIDTH), DRIVABLE_ID["background"], dtype=np.uint8)
    # Land behind everything that a layout leaves open.
    for strip in (Strip("terrain", -400, 400, GRASS), *scene.strips):
        scenery.paint_ground(canvas, strip, *weather.cover(scene, strip.category))
        value = DRIVABLE_ID[strip.drivable or "background"]
        cv2.fillPoly(lanes, [scenery.drivable_polygon(canvas, strip)], (value,))
    for marking in scene.markings:
        scenery.paint_marking(canvas, marking, *weather.cover(scene, "road"))
    return lanes


def _order(
    structures: tuple[Structure, ...],
) -> tuple[list[Structure], list[Structure], list[Structure]]:
    """Structures in the order of painting: backdrops, those along the road, single ones.

    Of two things on the same side of the road, the one farther out can never hide the other.
    """

    def inner(item: Structure) -> float:
        return min(abs(item.x1), abs(item.x2))

    first = sorted((s for s in structures if s.kind in _BACKDROPS), key=lambda s: -s.z1)
    along = [s for s in structures if s.kind in _ALONG]
    standing: list[Structure] = []
    for item in structures:
        if item.kind in _BACKDROPS or item.kind in _ALONG:
            continue
        outside = any(
            inner(other) < inner(item) and (other.x1 > 0) == (item.x1 > 0) for other in along
        )
        (along if item.kind == "tree" and outside else standing).append(item)
    along.sort(key=lambda s: (-inner(s), -s.z1))
    return first, along, standing


def _structure_painter(
    canvas: Canvas, item: Structure, sky: str, night: bool, rng: np.random.Generator
) -> Callable[[], None]:
    def paint() -> None:
        scenery.paint_structure(canvas, item, sky, night, rng)

    return paint


def _actor_painter(
    canvas: Canvas, actor: Actor, segment: int, scene: Scene, objects: list[PaintedObject]
) -> Callable[[], None]:
    def paint() -> None:
        joints: NDArray[np.float64] | None = None
        if actor.category == "traffic light":
            scenery.paint_traffic_light(canvas, actor, segment)
        elif actor.category == "traffic sign":
            scenery.paint_traffic_sign(canvas, actor, segment)
        elif actor.members:
            people.paint_crowd(canvas, actor, segment)
        elif actor.category == "person":
            joints = people.paint_pedestrian(canvas, actor, segment)
        elif actor.category == "rider":
            joints = people.paint_rider(canvas, actor, segment)
        elif actor.category in ("bicycle", "motorcycle"):
            people.paint_two_wheeler(canvas, actor, segment)
        else:
            vehicles.paint_shadow(canvas, actor)
            vehicles.paint_vehicle(canvas, actor, segment, scene.weather == "snowy")
        covered = canvas.segments == segment
        edges = (covered[:, 0], covered[:, -1], covered[0], covered[-1])
        objects.append(
            PaintedObject(
                actor,
                segment,
                int(covered.sum()),
                any(bool(edge.any()) for edge in edges),
                joints,
            )
        )

    return paint
