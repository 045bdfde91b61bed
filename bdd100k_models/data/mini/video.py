"""Scenes whose road users move: short videos, five frames a second.

The camera stands; cars pass, people walk, cross each other, go behind buses, leave the picture and
come back. A road user keeps its identity from its first frame to its last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bdd100k_models.data.mini.camera import WIDTH
from bdd100k_models.data.mini.scene import (
    CLOTHES,
    LAYOUTS,
    PAINTS,
    SIZES,
    TIMES,
    Actor,
    Gait,
    Plan,
    Scene,
)

FRAME_RATE = 5.0

#: Nothing whose farther end is nearer than this is painted, metres.
_NEAREST = 3.0
#: Metres that a walking person covers with two steps.
_STRIDE = 1.5
_WITH_TRAINS = ("city street", "residential")
#: How fast things move, metres a second: lowest, highest.
_SPEEDS = {
    "car": (2.5, 6.0),
    "truck": (2.0, 4.0),
    "bus": (2.0, 4.0),
    "motorcycle": (2.0, 4.0),
    "bicycle": (1.5, 3.0),
    "train": (2.0, 5.0),
    "person": (0.9, 1.6),
}


@dataclass(frozen=True)
class Mover:
    """A road user on its way.

    Attributes:
        actor: its description; its place is that of the first knot.
        knots: ``frame, x, z`` in metres, by frame; straight and even between them.
    """

    actor: Actor
    knots: tuple[tuple[float, float, float], ...]

    def at(self, frame: int) -> Actor:
        """The actor as it is in a frame."""
        times, xs, zs = zip(*self.knots, strict=True)
        x, z = float(np.interp(frame, times, xs)), float(np.interp(frame, times, zs))
        moved = replace(self.actor, x=x, z=z)
        if self.actor.category != "person" or self.actor.members:
            return moved
        walked = 0.0
        yaw = self.actor.yaw
        for (t1, x1, z1), (t2, x2, z2) in zip(self.knots, self.knots[1:], strict=False):
            if frame < t1:
                break
            share = min(1.0, (frame - t1) / (t2 - t1))
            length = float(np.hypot(x2 - x1, z2 - z1))
            walked += share * length
            if length > 0:
                yaw = float(np.arctan2(x2 - x1, z2 - z1))
        stride = 0.5 * float(np.sin(2 * np.pi * walked / _STRIDE))
        return replace(moved, yaw=yaw, gait=replace(self.actor.gait, stride=stride))


@dataclass(frozen=True)
class Video:
    """A scene and what moves in it.

    Attributes:
        scene: the surroundings, with the actors that never move.
        movers: the others.
        frames: how many pictures it has.
    """

    scene: Scene
    movers: tuple[Mover, ...]
    frames: int

    def at(self, frame: int) -> tuple[Scene, tuple[int, ...]]:
        """The scene of a frame, and the identity of each of its actors, from 1."""
        actors = list(self.scene.actors)
        identities = list(range(1, len(actors) + 1))
        for number, mover in enumerate(self.movers, start=len(actors) + 1):
            actor = mover.at(frame)
            if actor.z + _half_depth(actor) >= _NEAREST:
                actors.append(actor)
                identities.append(number)
        return replace(self.scene, actors=tuple(actors)), tuple(identities)


def _half_depth(actor: Actor) -> float:
    """Half of what an actor takes along the road, metres."""
    length, width, _ = SIZES[actor.rider or actor.category]
    return (abs(np.cos(actor.yaw)) * length + abs(np.sin(actor.yaw)) * width) / 2


def describe_video(seed: Sequence[int], weather: str, scene: str, frames: int) -> Video:
    """The video of a seed; the same one for the same arguments, on any machine.

    Args:
        seed: numbers that fix every choice.
        weather: one of ``scene.WEATHERS``.
        scene: one of ``scene.SCENES``.
        frames: pictures, at `FRAME_RATE`.
    """
    rng = np.random.default_rng(list(seed))
    timeofday = TIMES[int(rng.choice(3, p=[0.72, 0.13, 0.15]))]
    plan = Plan(rng, scene)
    LAYOUTS[scene](plan)
    # Trains run in few places: there most videos show one.
    while scene in _WITH_TRAINS and not _trains(plan) and rng.random() < 0.85:
        plan = Plan(rng, scene)
        LAYOUTS[scene](plan)
    traffic = _Traffic(plan, frames)
    traffic.fill()
    return Video(
        Scene(
            weather=weather,
            scene=scene,
            timeofday=timeofday,
            camera=plan.camera,
            strips=tuple(plan.strips),
            markings=tuple(plan.markings),
            structures=tuple(plan.structures),
            actors=tuple(actor for actor in plan.actors if actor.category != "train"),
            hood=plan.uniform(420, 620) if plan.chance(0.6) else 0.0,
            seed=int(rng.integers(2**31)),
        ),
        tuple(traffic.movers),
        frames,
    )


def _trains(plan: Plan) -> list[Actor]:
    return [actor for actor in plan.actors if actor.category == "train"]


class _Traffic:
    """What moves in a video, as it is put together."""

    def __init__(self, plan: Plan, frames: int) -> None:
        self._plan = plan
        self._last = max(1, frames - 1)
        self.movers: list[Mover] = []

    def fill(self) -> None:
        """Something of every kind, most of it moving, and not so much that all hide each other."""
        plan = self._plan
        for train in _trains(plan):
            self._drive(train)
        walks = plan.scene != "highway"
        large = "bus" if plan.chance(0.5) else "truck"
        if plan.chance(0.5):
            self._hide_somebody(large, plan.uniform(12, 15))
        else:
            self._add_vehicle(large)
        self._add_vehicle("bicycle" if plan.chance(0.5) else "motorcycle")
        for _ in range(plan.number(1, 2)):
            self._add_vehicle("car")
        self._cross_each_other(plan.uniform(7, 11))
        if plan.chance(0.5):
            self._leave_and_return(plan.uniform(7, 10))
        elif walks and plan.walks:
            self._walk_along()

    def _speed(self, category: str) -> float:
        """Metres a frame."""
        return self._plan.uniform(*_SPEEDS[category]) / FRAME_RATE

    def _edge(self, z: float, side: int) -> float:
        """The x in metres where the picture ends at the distance ``z``."""
        camera = self._plan.camera
        return ((WIDTH if side > 0 else 0.0) - camera.center_x) * z / camera.focal

    def _add(self, actor: Actor, *knots: tuple[float, float, float]) -> None:
        self.movers.append(Mover(actor, knots))
        if actor.category in ("motorcycle", "bicycle"):
            plan = self._plan
            rider = replace(
                actor,
                category="rider",
                rider=actor.category,
                colour=plan.colour(CLOTHES),
                style=plan.number(0, 2),
            )
            self.movers.append(Mover(rider, knots))

    def _drive(self, actor: Actor) -> None:
        """Straight on, the way that it looks; through its own place halfway."""
        way = self._speed(actor.category) * self._last / 2
        dx, dz = float(np.sin(actor.yaw)) * way, float(np.cos(actor.yaw)) * way
        if actor.category == "train" and actor.z - abs(dz) < 18:
            dz = 0.0 if abs(dz) < 1e-6 else np.copysign(max(0.0, actor.z - 18), dz)
        self._add(
            actor,
            (0.0, actor.x - dx, actor.z - dz),
            (float(self._last), actor.x + dx, actor.z + dz),
        )

    def _vehicle(self, category: str, x: float, z: float, yaw: float) -> Actor:
        plan = self._plan
        height = SIZES[category][2]
        return Actor(category, x, z, yaw, height, plan.colour(PAINTS), plan.number(0, 2))

    def _add_vehicle(self, category: str) -> None:
        """A vehicle along a lane, or across the road."""
        plan = self._plan
        length = SIZES[category][0]
        way = self._speed(category) * self._last
        two_wheeled = category in ("motorcycle", "bicycle")
        if plan.chance(0.6 if two_wheeled else 0.35):
            side = 1 if plan.chance(0.5) else -1
            z = plan.uniform(6, 10) if two_wheeled else plan.uniform(13, 20)
            # From a little outside of the picture to somewhere in it, or on through it.
            begin = self._edge(z, -side) - side * plan.uniform(-0.6, 0.5) * length
            yaw = side * (np.pi / 2 + plan.uniform(-0.1, 0.1))
            self._add(
                self._vehicle(category, begin, z, yaw),
                (0.0, begin, z),
                (float(self._last), begin + side * way, z + plan.uniform(-0.5, 0.5)),
            )
            return
        lane = plan.lanes[plan.number(0, len(plan.lanes) - 1)]
        x = lane.x + (plan.uniform(-1.0, 1.0) if two_wheeled else plan.uniform(-0.25, 0.25))
        near = (5.0 if two_wheeled else 5.5) + length / 2
        far = near + way
        if lane.yaw == 0.0 and plan.chance(0.35):
            near, far = far, near  # slower than the camera's own car would be: it comes nearer
        start, end = (far, near) if lane.yaw else (near, far)
        if category == "car" and lane.yaw:
            end = plan.uniform(2.0, 8.0)  # oncoming cars pass by
        shift = plan.uniform(0.0, 8.0)
        self._add(
            self._vehicle(category, x, start + shift, lane.yaw),
            (0.0, x, start + shift),
            (float(self._last), x, end + (0.0 if end < near else shift)),
        )

    def _person(self, x: float, z: float) -> Actor:
        plan = self._plan
        gait = Gait(
            left_lift=plan.uniform(0.08, 0.35),
            right_lift=plan.uniform(0.08, 0.35),
            bend=plan.uniform(0.05, 0.9),
        )
        return Actor(
            "person",
            x,
            z,
            0.0,
            plan.uniform(1.55, 1.9),
            plan.colour(CLOTHES),
            plan.number(0, 3),
            gait=gait,
        )

    def _cross_each_other(self, z: float) -> None:
        """Two people who walk towards each other and pass, one in front of the other."""
        plan = self._plan
        middle = plan.uniform(0.3, 0.7) * (self._edge(z, 1) - self._edge(z, -1))
        middle += self._edge(z, -1)
        meeting = plan.uniform(0.35, 0.65) * self._last
        for side, depth in ((1, z), (-1, z + plan.uniform(0.6, 1.5))):
            step = side * self._speed("person")
            begin, end = middle - step * meeting, middle + step * (self._last - meeting)
            self._add(
                self._person(begin, depth),
                (0.0, begin, depth),
                (float(self._last), end, depth),
            )

    def _leave_and_return(self, z: float) -> None:
        """Somebody who walks out of the picture, and turns round a second later."""
        plan = self._plan
        side = 1 if plan.chance(0.5) else -1
        edge = self._edge(z, side)
        step = self._speed("person")
        out = plan.uniform(0.2, 0.35) * self._last
        back = out + plan.uniform(3, 5)
        outside = edge + side * 0.5
        begin, end = outside - side * step * out, outside - side * step * (self._last - back)
        self._add(
            self._person(begin, z),
            (0.0, begin, z),
            (out, outside, z),
            (back, outside, z),
            (max(float(self._last), back + 1), end, z),
        )

    def _hide_somebody(self, category: str, z: float) -> None:
        """A large vehicle that stands, and somebody who walks along behind it."""
        plan = self._plan
        lane = plan.lanes[plan.number(0, len(plan.lanes) - 1)]
        standing = self._vehicle(category, lane.x, z, lane.yaw)
        plan.actors.append(standing)
        behind = z + SIZES[category][0] / 2 + plan.uniform(0.5, 1.5)
        side = 1 if plan.chance(0.5) else -1
        step = side * self._speed("person")
        # What the vehicle hides at that distance lies farther out by the perspective.
        middle = lane.x * behind / z
        begin = middle - step * self._last / 2
        self._add(
            self._person(begin, behind),
            (0.0, begin, behind),
            (float(self._last), begin + step * self._last, behind),
        )

    def _walk_along(self) -> None:
        """Somebody on a pavement, towards the camera or away from it."""
        plan = self._plan
        low, high = plan.walks[plan.number(0, len(plan.walks) - 1)]
        x = plan.uniform(low, high)
        near = plan.uniform(6.0, 10.0) + 0.6 * abs(x)
        way = self._speed("person") * self._last
        first, last = (near, near + way) if plan.chance(0.5) else (near + way, near)
        self._add(self._person(x, first), (0.0, x, first), (float(self._last), x, last))
