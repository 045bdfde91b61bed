"""What a scene consists of, before anything is painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bdd100k_models.data.mini.camera import NEAR, WIDTH, Camera
from bdd100k_models.data.mini.canvas import Colour

#: Values of the attributes that the scenes show; ``undefined`` shows nothing and is left out.
WEATHERS = ("clear", "partly cloudy", "overcast", "rainy", "snowy", "foggy")
SCENES = ("city street", "highway", "residential", "parking lot", "gas stations", "tunnel")
TIMES = ("daytime", "dawn/dusk", "night")

LANE = 3.5
FAR = 400.0

#: length, width, height in metres of what is drawn as a box.
SIZES: dict[str, tuple[float, float, float]] = {
    "car": (4.4, 1.85, 1.5),
    "truck": (8.0, 2.5, 3.5),
    "bus": (11.0, 2.55, 3.2),
    "train": (24.0, 2.8, 3.6),
    "caravan": (5.2, 2.3, 2.7),
    "trailer": (4.2, 2.1, 1.7),
    "motorcycle": (2.2, 0.9, 1.8),
    "bicycle": (1.8, 0.6, 1.8),
    "person": (0.6, 0.7, 1.75),
}

PAINTS: tuple[Colour, ...] = (
    (190, 30, 35),
    (40, 70, 160),
    (225, 225, 228),
    (35, 36, 40),
    (140, 145, 150),
    (30, 105, 75),
    (205, 165, 60),
    (110, 50, 45),
)


@dataclass(frozen=True)
class Strip:
    """A strip of ground along the road, between ``x1`` and ``x2``, from ``z1`` to ``z2`` metres.

    ``category`` is a panoptic category; ``drivable`` is ``direct``, ``alternative`` or None.
    """

    category: str
    x1: float
    x2: float
    colour: Colour
    drivable: str | None = None
    z1: float = 1.0
    z2: float = FAR


@dataclass(frozen=True)
class Marking:
    """A painted line on the road: along it at ``x1 == x2``, or across it at ``z1 == z2``."""

    x1: float
    z1: float
    x2: float
    z2: float
    width: float = 0.16
    colour: Colour = (235, 235, 230)
    dashed: bool = False


@dataclass(frozen=True)
class Structure:
    """Something that stands beside or over the road.

    ``kind`` names a function of ``scenery``; it fills the space between the given coordinates, in
    metres, up to ``height``. ``style`` chooses among looks.
    """

    kind: str
    x1: float
    x2: float
    z1: float
    z2: float
    height: float
    colour: Colour
    style: int = 0


@dataclass(frozen=True)
class Gait:
    """How a person stands: angles in radians.

    ``stride`` swings legs and arms forward and back, ``left_lift`` and ``right_lift`` raise the
    arms sideways, ``bend`` bends the elbows.
    """

    stride: float = 0.0
    left_lift: float = 0.12
    right_lift: float = 0.12
    bend: float = 0.3


@dataclass(frozen=True)
class Actor:
    """An object that has a label of its own.

    Attributes:
        category: panoptic category; ``traffic light`` and ``traffic sign`` have boxes only.
        x, z: position on the ground, metres.
        yaw: heading, radians; see ``solids.Place``.
        height: metres (of a light or sign: of its panel).
        colour: of the body or the clothes.
        style: chooses among looks.
        base: height above the ground, metres, of lights and signs.
        gait: of persons.
        rider: category of the two-wheeler that a ``rider`` sits on.
        members: number of people in a crowd; 0 for a single object.
    """

    category: str
    x: float
    z: float
    yaw: float = 0.0
    height: float = 1.5
    colour: Colour = (128, 128, 128)
    style: int = 0
    base: float = 0.0
    gait: Gait = Gait()
    rider: str | None = None
    members: int = 0


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows.

    Attributes:
        weather, scene, timeofday: the tags of the picture.
        camera: where it is seen from.
        strips: ground, later ones over earlier ones.
        markings: lines on the road.
        structures: surroundings.
        actors: labelled objects.
        hood: half the width of the camera car's bonnet in pixels at the lower edge; 0 for none.
        seed: for textures, rain drops and the like.
    """

    weather: str
    scene: str
    timeofday: str
    camera: Camera
    strips: tuple[Strip, ...]
    markings: tuple[Marking, ...]
    structures: tuple[Structure, ...]
    actors: tuple[Actor, ...]
    hood: float
    seed: int


@dataclass(frozen=True)
class Lane:
    """Where vehicles may be: the middle, the heading, and the range of distances."""

    x: float
    yaw: float
    near: float
    far: float


class Plan:
    """A scene that is being put together."""

    def __init__(self, rng: np.random.Generator, scene: str) -> None:
        self.rng = rng
        self.camera = Camera(
            focal=float(rng.uniform(930, 1080)),
            center_x=float(WIDTH / 2 + rng.uniform(-70, 70)),
            horizon=float(rng.uniform(325, 365)),
            height=float(rng.uniform(1.4, 1.65)),
        )
        self.scene = scene
        self.strips: list[Strip] = []
        self.markings: list[Marking] = []
        self.structures: list[Structure] = []
        self.actors: list[Actor] = []
        self.lanes: list[Lane] = []
        self.walks: list[tuple[float, float]] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def number(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def colour(self, choices: Sequence[Colour], spread: float = 18.0) -> Colour:
        """One of some colours, varied a little."""
        red, green, blue = choices[self.number(0, len(choices) - 1)]
        shift = self.rng.uniform(-spread, spread, 3)
        return (
            float(np.clip(red + shift[0], 0, 255)),
            float(np.clip(green + shift[1], 0, 255)),
            float(np.clip(blue + shift[2], 0, 255)),
        )

    def place(self, actor: Actor, half_width: float | None = None, tolerance: float = 0.3) -> bool:
        """Add an actor unless it would hide, or be hidden by, too much of another one.

        ``half_width`` in metres is how far it reaches to each side in the picture; by default the
        size of its category decides. ``tolerance`` is the share of the smaller box that may be
        covered.
        """
        left, top, right, bottom = self._extent(actor, half_width)
        inside = max(0.0, min(right, WIDTH) - max(left, 0.0))
        if inside < 0.55 * (right - left) or bottom < 20:
            return False
        left, right = max(left, 0.0), min(right, WIDTH)
        for other in self._taken:
            width = min(right, other[2]) - max(left, other[0])
            height = min(bottom, other[3]) - max(top, other[1])
            if width <= 0 or height <= 0:
                continue
            smaller = min(
                (right - left) * (bottom - top), (other[2] - other[0]) * (other[3] - other[1])
            )
            if width * height > tolerance * smaller:
                return False
        self._taken.append((left, top, right, bottom))
        self.actors.append(actor)
        return True

    def _extent(self, actor: Actor, half_width: float | None) -> tuple[float, float, float, float]:
        """The box that an actor fills in the picture: left, top, right, bottom in pixels."""
        if half_width is None:
            length, width, _ = SIZES[actor.category]
            right, forward = np.array([-1, 1, 1, -1]) * width / 2, np.array([-1, -1, 1, 1])
            forward = forward * length / 2
        else:
            right, forward = np.array([-half_width, half_width]), np.zeros(2)
        sine, cosine = np.sin(actor.yaw), np.cos(actor.yaw)
        if half_width is not None:
            sine, cosine = 0.0, 1.0
        x = actor.x + right * cosine + forward * sine
        z = np.maximum(actor.z - right * sine + forward * cosine, NEAR)
        corners = np.concatenate(
            [
                self.camera.project(np.stack([x, np.full_like(x, up), z], axis=1))
                for up in (actor.base, actor.base + actor.height)
            ]
        )
        (left, top), (right_end, bottom) = corners.min(axis=0), corners.max(axis=0)
        return float(left), float(top), float(right_end), float(bottom)

    def line(self, x: float, dashed: bool = False, colour: Colour = (235, 235, 230)) -> None:
        """A line along the road."""
        self.markings.append(Marking(x, 1.0, x, 130.0, dashed=dashed, colour=colour))


def describe(seed: Sequence[int], weather: str, scene: str) -> Scene:
    """The scene of a seed.

    Args:
        seed: numbers that fix every choice.
        weather: one of ``WEATHERS``.
        scene: one of ``SCENES``.

    Returns:
        The same scene for the same arguments, on any machine.
    """
    rng = np.random.default_rng(list(seed))
    timeofday = TIMES[int(rng.choice(3, p=[0.72, 0.13, 0.15]))]
    plan = Plan(rng, scene)
    LAYOUTS[scene](plan)
    _add_actors(plan)
    return Scene(
        weather=weather,
        scene=scene,
        timeofday=timeofday,
        camera=plan.camera,
        strips=tuple(plan.strips),
        markings=tuple(plan.markings),
        structures=tuple(plan.structures),
        actors=tuple(plan.actors),
        hood=plan.uniform(420, 620) if plan.chance(0.6) else 0.0,
        seed=int(rng.integers(2**31)),
    )


def _strip(
    category: str,
    edge: float,
    other_edge: float,
    colour: Colour,
    drivable: str | None = None,
    z2: float = FAR,
) -> Strip:
    """A strip between two edges in any order."""
    return Strip(category, *_ordered(edge, other_edge), colour, drivable, z2=z2)


def _ordered(first: float, second: float) -> tuple[float, float]:
    return min(first, second), max(first, second)


ASPHALT: Colour = (92, 92, 96)
PAVEMENT: Colour = (172, 160, 150)
GRASS: Colour = (96, 140, 60)
GRAVEL: Colour = (128, 112, 96)
CONCRETE: Colour = (158, 156, 150)
YELLOW: Colour = (225, 180, 50)
RAIL: Colour = (70, 62, 58)

FACADES: tuple[Colour, ...] = (
    (150, 92, 74),
    (178, 150, 120),
    (120, 118, 122),
    (196, 180, 156),
    (104, 84, 78),
    (136, 148, 160),
)


def _roadway(plan: Plan, left: int, right: int, oncoming: int) -> tuple[float, float]:
    """Lay the lanes of a road: ``left`` and ``right`` of the own lane, then the oncoming ones.

    Returns:
        The x of its left and right edge.
    """
    asphalt = plan.colour([ASPHALT], 10)
    start = -LANE / 2 - left * LANE
    end = LANE / 2 + right * LANE
    edge = start - oncoming * LANE
    plan.strips.append(Strip("road", edge - 0.4, end + 0.4, asphalt))
    for index in range(left + right + 1):
        x1 = start + index * LANE
        kind = "direct" if index == left else "alternative"
        plan.strips.append(Strip("road", x1, x1 + LANE, asphalt, kind))
        plan.lanes.append(Lane(x1 + LANE / 2, 0.0, 7.0 if index == left else 5.0, 32.0))
        if index:
            plan.line(x1, dashed=True)
    for index in range(oncoming):
        plan.lanes.append(Lane(start - (index + 0.5) * LANE, np.pi, 6.0, 34.0))
        if index:
            plan.line(start - index * LANE, dashed=True)
    if oncoming:
        plan.line(start - 0.14, colour=YELLOW)
        plan.line(start + 0.14, colour=YELLOW)
        plan.line(edge)
    else:
        plan.line(start)
    plan.line(end)
    return edge - 0.4, end + 0.4


def _side_track(plan: Plan, x: float) -> None:
    """A railway track along the road around ``x``, with a train on it."""
    plan.strips.append(Strip("rail track", x - 1.9, x + 1.9, plan.colour([GRAVEL], 8)))
    for rail in (-0.75, 0.75):
        plan.markings.append(Marking(x + rail, 1.0, x + rail, 130.0, width=0.13, colour=RAIL))
    heading = np.pi if plan.chance(0.5) else 0.0
    _add_train(plan, x, 2.2 * abs(x) + plan.uniform(8, 14), heading)


def _level_crossing(plan: Plan) -> float:
    """A railway track across the road, with a train on it; gives its distance in metres."""
    z = plan.uniform(21, 30)
    plan.strips.append(
        Strip("rail track", -90, 90, plan.colour([GRAVEL], 8), z1=z - 2.4, z2=z + 2.4)
    )
    for rail in (-0.75, 0.75):
        plan.markings.append(Marking(-90, z + rail, 90, z + rail, width=0.14, colour=RAIL))
    heading = np.pi / 2 if plan.chance(0.5) else -np.pi / 2
    _add_train(plan, plan.uniform(-8, 8), z, heading)
    return z


def _add_train(plan: Plan, x: float, z: float, heading: float) -> None:
    colour = plan.colour(PAINTS)
    train = Actor("train", x, z, heading, SIZES["train"][2], colour, plan.number(0, 2))
    plan.place(train, tolerance=0.5)


def _city_street(plan: Plan) -> None:
    left, right = _roadway(plan, plan.number(0, 1), plan.number(0, 1), plan.number(1, 2))
    beside_track = plan.chance(0.45)
    if beside_track:
        _side_track(plan, left - 2.0)
        left -= 4.0
    for side, edge in ((-1, left), (1, right)):
        kerb = edge + side * plan.uniform(3.2, 4.4)
        x1, x2 = _ordered(edge, kerb)
        plan.strips.append(Strip("sidewalk", x1, x2, plan.colour([PAVEMENT], 10)))
        z = plan.uniform(5, 9)
        while z < 120:
            length = plan.uniform(9, 22)
            outer = kerb + side * 25
            low, high = _ordered(kerb, outer)
            plan.structures.append(
                Structure(
                    "tower",
                    low,
                    high,
                    z,
                    z + length,
                    plan.uniform(9, 32),
                    plan.colour(FACADES),
                    plan.number(0, 2),
                )
            )
            z += length
        if beside_track and side < 0:
            continue
        plan.walks.append((x1 + 0.5, x2 - 0.5))
        for z in np.arange(plan.uniform(9, 16), 50, plan.uniform(11, 17)):
            kind = "tree" if plan.chance(0.55) else "lamp"
            x = edge + side * 0.7
            plan.structures.append(
                Structure(kind, x, x - side * 1.6, float(z), float(z), plan.uniform(5, 7), GRASS)
            )
    if plan.chance(0.6):
        _crosswalk(plan, left, right, plan.uniform(9, 16))


def _crosswalk(plan: Plan, left: float, right: float, z: float) -> None:
    """White bars across the road at distance ``z``."""
    for x in np.arange(left + 0.5, right - 0.5, 0.95):
        plan.markings.append(Marking(float(x), z, float(x), z + 2.6, width=0.5))


def _residential(plan: Plan) -> None:
    left, right = _roadway(plan, 0, 0, 1)
    wall_side = plan.number(0, 2) - 1
    for side, edge in ((-1, left), (1, right)):
        walk = edge + side * plan.uniform(1.8, 2.4)
        lawn = walk + side * 60
        plan.strips.append(_strip("terrain", walk, lawn, plan.colour([GRASS], 12), z2=FAR))
        plan.strips.append(_strip("sidewalk", edge, walk, plan.colour([PAVEMENT], 10)))
        low, high = _ordered(edge, walk)
        plan.walks.append((low + 0.3, high - 0.3))
        z = plan.uniform(9, 14)
        front = walk + side * plan.uniform(4.5, 6.5)
        while z < 110:
            depth = plan.uniform(7, 10)
            x1, x2 = _ordered(front, front + side * plan.uniform(7, 10))
            plan.structures.append(
                Structure(
                    "house",
                    x1,
                    x2,
                    z,
                    z + depth,
                    plan.uniform(3.2, 5.2),
                    plan.colour(
                        ((220, 208, 180), (188, 120, 96), (170, 186, 196), (236, 232, 224))
                    ),
                    plan.number(0, 2),
                )
            )
            z += depth
            x = walk + side * plan.uniform(2.0, 3.4)
            plan.structures.append(
                Structure("tree", x, x, z + 1.5, z + 1.5, plan.uniform(4, 6.5), GRASS)
            )
            z += plan.uniform(4, 8)
        x = walk + side * 0.5
        kind = "wall" if side == wall_side else "fence" if plan.chance(0.75) else "hedge"
        plan.structures.append(
            Structure(
                kind,
                x,
                x,
                plan.uniform(5, 9),
                plan.uniform(18, 40),
                plan.uniform(1.0, 1.5),
                plan.colour(((150, 98, 80), (176, 170, 160))),
            )
        )
    if plan.chance(0.45):
        z = _level_crossing(plan)
        plan.structures = [item for item in plan.structures if item.z2 < z - 4 or item.z1 > z + 4]
    for z in np.arange(plan.uniform(9, 20), 45, 19.0):
        x = right + 0.4
        plan.structures.append(Structure("lamp", x, x - 1.6, float(z), float(z), 5.5, GRASS))
    plan.lanes.append(Lane(right - 0.9, 0.0, 7.0, 30.0))


def _highway(plan: Plan) -> None:
    left, right = _roadway(plan, plan.number(1, 2), plan.number(1, 2), 0)
    for side, edge in ((-1, left), (1, right)):
        x1, x2 = _ordered(edge, edge + side * 150)
        plan.strips.append(
            Strip("terrain", x1, x2, plan.colour([GRASS, (150, 136, 84)], 12), z2=FAR)
        )
        x = edge + side * 0.6
        plan.structures.append(Structure("guard_rail", x, x, 3.0, 130.0, 0.85, (176, 180, 184)))
        if plan.chance(0.35):
            x = edge + side * 8
            plan.structures.append(
                Structure("wall", x, x, 8.0, 110.0, 3.4, plan.colour([(168, 158, 142)]), 1)
            )
        else:
            for z in np.arange(plan.uniform(12, 18), 90, plan.uniform(9, 14)):
                x = edge + side * plan.uniform(8, 16)
                plan.structures.append(
                    Structure("tree", x, x, float(z), float(z), plan.uniform(4, 8), GRASS)
                )
    if plan.chance(0.35):
        _side_track(plan, right + 4.4)
    plan.structures.append(Structure("hills", -300, 300, 350, 350, plan.uniform(14, 26), GRASS))
    if plan.chance(0.65):
        plan.structures.append(
            Structure("overpass", left - 12, right + 12, plan.uniform(34, 48), 55, 6.4, CONCRETE)
        )
        z = plan.uniform(15, 20)
    else:
        z = plan.uniform(15, 26)
    plan.structures.append(Structure("gantry", left - 1.2, right + 1.2, z, z, 6.2, (120, 124, 128)))
    for x in (-2.6, 2.6):
        plan.place(
            Actor("traffic sign", x, z - 0.3, height=1.9, style=3, base=4.6, colour=(20, 110, 70)),
            2.1,
        )


def _parking_lot(plan: Plan) -> None:
    asphalt = plan.colour([ASPHALT], 10)
    plan.strips.append(Strip("parking", -60, 60, plan.colour([(120, 116, 122)], 8), z2=60.0))
    plan.strips.append(Strip("terrain", -150, 150, plan.colour([GRASS], 12), z1=60.0))
    plan.strips.append(Strip("road", -3.2, 3.2, asphalt, "direct", z2=58.0))
    for side in (-1, 1):
        plan.markings.append(Marking(side * 3.2, 1.0, side * 3.2, 58.0))
        for z in np.arange(3.0, 56.0, 2.9):
            plan.markings.append(Marking(side * 3.2, float(z), side * 8.6, float(z)))
    start = 6.0
    for side in (-1, 1):
        for z in np.arange(4.45, 52.0, 2.9):
            if plan.chance(0.42) or z < start:
                continue
            heading = (np.pi / 2 if plan.chance(0.5) else -np.pi / 2) + plan.uniform(-0.06, 0.06)
            category = "caravan" if plan.chance(0.07) else "car"
            plan.place(
                Actor(
                    category,
                    side * 6.0,
                    float(z),
                    heading,
                    SIZES[category][2],
                    plan.colour(PAINTS),
                    plan.number(0, 2),
                ),
                tolerance=0.5,
            )
    plan.structures.append(
        Structure(
            "mall", -34, plan.uniform(2, 30), 62.0, 75.0, plan.uniform(8, 12), plan.colour(FACADES)
        )
    )
    side = 1 if plan.chance(0.5) else -1
    plan.structures.append(
        Structure("fence", side * 13.5, side * 13.5, 7.0, 56.0, 1.9, (120, 126, 122), 1)
    )
    plan.strips.append(
        _strip("sidewalk", -side * 9.2, -side * 12.5, plan.colour([PAVEMENT], 10), z2=58)
    )
    plan.walks.extend([(-2.8, -1.6), (1.6, 2.8)])
    plan.walks.append(_ordered(-side * 9.6, -side * 12.0))
    for x, z in ((-9.0, 14.0), (9.0, 18.0), (-9.0, 34.0), (9.0, 38.0)):
        kind = "tree" if plan.chance(0.5) else "lamp"
        plan.structures.append(Structure(kind, x, x * 0.8, z, z, plan.uniform(5, 7), GRASS))
    plan.lanes.append(Lane(-1.5, np.pi, 9.0, 34.0))
    plan.lanes.append(Lane(1.5, 0.0, 8.0, 30.0))


def _gas_station(plan: Plan) -> None:
    plan.strips.append(Strip("ground", -60, 60, plan.colour([CONCRETE], 10), z2=48.0))
    plan.strips.append(Strip("terrain", -150, 150, plan.colour([GRASS], 12), z1=48.0))
    plan.strips.append(Strip("road", -2.6, 2.6, plan.colour([ASPHALT], 10), "direct", z2=46.0))
    other = -1 if plan.chance(0.5) else 1
    x1, x2 = _ordered(other * 2.6, other * 5.2)
    plan.strips.append(Strip("road", x1, x2, plan.colour([ASPHALT], 6), "alternative", z2=46.0))
    brand = plan.colour(((214, 40, 40), (240, 180, 20), (20, 130, 80), (30, 90, 190)), 12)
    near = plan.uniform(13, 17)
    plan.structures.append(Structure("canopy", -9.5, 9.5, near, near + 10, 4.7, brand))
    for x in (-6.6, 6.6):
        for z in (near + 1.5, near + 7.5):
            plan.structures.append(Structure("pump", x, x, z, z, 2.0, brand))
    plan.structures.append(Structure("mall", -22, 22, 50.0, 60.0, 5.0, (230, 228, 222), 1))
    plan.structures.append(Structure("price_mast", -9.5, -9.5, 10.5, 10.5, 4.5, brand))
    x = plan.uniform(9, 11)
    plan.place(Actor("traffic sign", x, 12.0, height=1.5, style=4, base=2.2, colour=brand), 0.8)
    plan.structures.append(Structure("post", x, x, 12.1, 12.1, 3.0, (150, 150, 150)))
    plan.walks.extend([(-5.8, -4.6), (4.4, 5.8), (-9.0, -7.4)])
    plan.lanes.append(Lane(other * 4.0, 0.0, 7.0, 30.0))
    plan.lanes.append(Lane(0.0, 0.0, 9.0, 28.0))
    plan.lanes.append(Lane(-other * 8.6, np.pi, 10.0, 30.0))


def _tunnel(plan: Plan) -> None:
    left, right = _roadway(plan, plan.number(0, 1), plan.number(0, 1), plan.number(0, 1))
    near = plan.uniform(24, 32)
    for side, edge in ((-1, left), (1, right)):
        walk = edge + side * 1.6
        plan.strips.append(_strip("sidewalk", edge, walk, plan.colour([PAVEMENT], 10)))
        plan.walks.append(_ordered(edge + side * 0.4, walk))
        plan.strips.append(_strip("terrain", walk, walk + side * 150, plan.colour([GRASS], 12)))
        plan.structures.append(
            Structure(
                "wall", walk, walk, plan.uniform(6, 11), near, plan.uniform(1.8, 3.0), CONCRETE, 1
            )
        )
    plan.structures.append(
        Structure(
            "portal",
            left - 2.2,
            right + 2.2,
            near,
            near + 60,
            plan.uniform(6.2, 7.2),
            plan.colour([(140, 132, 122)]),
        )
    )


LAYOUTS: dict[str, Callable[[Plan], None]] = {
    "city street": _city_street,
    "highway": _highway,
    "residential": _residential,
    "parking lot": _parking_lot,
    "gas stations": _gas_station,
    "tunnel": _tunnel,
}

#: How likely each kind of road user is in a scene that has room for it.
_TRAFFIC = {
    "truck": 0.5,
    "bus": 0.45,
    "motorcycle": 0.55,
    "bicycle": 0.6,
    "caravan": 0.28,
    "trailer": 0.3,
}
CLOTHES: tuple[Colour, ...] = (
    (200, 60, 60),
    (60, 90, 180),
    (230, 200, 80),
    (90, 150, 90),
    (160, 90, 160),
    (235, 235, 235),
    (230, 130, 50),
)


def _add_actors(plan: Plan) -> None:
    """Fill the layout with road users, people, lights and signs."""
    wanted = [name for name, share in _TRAFFIC.items() if plan.chance(share)]
    plan.rng.shuffle(wanted)
    if plan.scene != "highway":
        _add_people(plan)
    for category in wanted:
        if category == "bicycle" and plan.scene == "highway":
            continue
        _add_vehicle(plan, category)
    for _ in range(plan.number(2, 5)):
        _add_vehicle(plan, "car")
    add_signals(plan)


def _add_vehicle(plan: Plan, category: str) -> None:
    """Put a vehicle on one of the lanes, or crossing ahead, if there is room."""
    length, _, height = SIZES[category]
    two_wheeled = category in ("motorcycle", "bicycle")
    for _ in range(12):
        lane = plan.lanes[plan.number(0, len(plan.lanes) - 1)]
        if two_wheeled:
            x = lane.x + plan.uniform(-1.3, 1.3)
            near, far = 5.0, 15.0
            yaw = lane.yaw + plan.uniform(-0.25, 0.25)
            if plan.chance(0.65):
                yaw = (np.pi / 2 if plan.chance(0.5) else -np.pi / 2) + plan.uniform(-0.5, 0.5)
        else:
            x = lane.x + plan.uniform(-0.25, 0.25)
            near, far = lane.near + length / 2, lane.far
            yaw = lane.yaw + plan.uniform(-0.05, 0.05)
            crossing = plan.scene in ("city street", "gas stations", "parking lot")
            if crossing and category != "trailer" and plan.chance(0.22):
                yaw = (np.pi / 2 if plan.chance(0.5) else -np.pi / 2) + plan.uniform(-0.3, 0.3)
                near = max(near, 14.0)
        # Even in 1 / z, so that objects of all sizes in the picture are equally common.
        z = 1.0 / plan.uniform(1.0 / max(far, near + 4), 1.0 / near)
        actor = Actor(category, x, z, yaw, height, plan.colour(PAINTS), plan.number(0, 2))
        ridden = two_wheeled and plan.chance(0.85)
        if plan.place(actor):
            if ridden:
                plan.actors.append(
                    Actor(
                        "rider",
                        x,
                        z,
                        yaw,
                        height,
                        plan.colour(CLOTHES),
                        plan.number(0, 2),
                        rider=category,
                    )
                )
            return


def _add_people(plan: Plan) -> None:
    """Put pedestrians on the walks, and sometimes a crowd or somebody on the road."""
    for _ in range(plan.number(2, 5)):
        for _ in range(6):
            low, high = plan.walks[plan.number(0, len(plan.walks) - 1)]
            if plan.chance(0.15):
                low, high = -4.0, 4.0
            x, z = plan.uniform(low, high), 1.0 / plan.uniform(1 / 18.0, 1 / 5.5)
            heading = plan.uniform(-0.5, 0.5) + (np.pi if plan.chance(0.6) else 0.0)
            if plan.chance(0.2):
                heading += np.pi / 2 if plan.chance(0.5) else -np.pi / 2
            lifted = plan.chance(0.25)
            gait = Gait(
                stride=plan.uniform(-0.55, 0.55),
                left_lift=plan.uniform(0.08, 2.2 if lifted else 0.35),
                right_lift=plan.uniform(0.08, 0.35),
                bend=plan.uniform(0.05, 0.9),
            )
            height = plan.uniform(1.55, 1.9)
            colour = plan.colour(CLOTHES)
            style = plan.number(0, 3)
            actor = Actor("person", x, z, heading, height, colour, style, gait=gait)
            if plan.place(actor):
                break
    if plan.chance(0.22):
        low, high = plan.walks[plan.number(0, len(plan.walks) - 1)]
        members = plan.number(6, 9)
        plan.place(
            Actor(
                "person",
                plan.uniform(low, high),
                plan.uniform(17, 24),
                np.pi,
                1.75,
                plan.colour(CLOTHES),
                plan.number(0, 1000),
                members=members,
            ),
            1.6,
        )


def add_signals(plan: Plan) -> None:
    """Traffic lights and signs with their posts."""
    right = max(strip.x2 for strip in plan.strips if strip.category == "road")
    left = min(strip.x1 for strip in plan.strips if strip.category == "road")
    likely = {"city street": 0.95, "highway": 0.25, "tunnel": 0.6}.get(plan.scene, 0.5)
    if plan.chance(likely):
        z = plan.uniform(9, 15)
        side = right + 0.7 if plan.chance(0.7) else left - 0.7
        lamp = plan.number(0, 2)
        heads = [(side, 2.6)]
        if plan.chance(0.7):
            arm = plan.uniform(0.2, 0.9) * side
            plan.structures.append(Structure("arm", side, arm - 0.3, z, z, 5.0, (70, 74, 78)))
            heads.append((arm, 3.9))
        else:
            plan.structures.append(Structure("post", side, side, z, z, 4.2, (70, 74, 78)))
        for x, base in heads:
            plan.place(Actor("traffic light", x, z - 0.15, height=1.25, style=lamp, base=base), 0.3)
    for _ in range(plan.number(1, 2)):
        z = plan.uniform(7, 14)
        x = right + 0.6 if plan.chance(0.6) else left - 0.6
        style = plan.number(0, 2)
        size = plan.uniform(0.85, 1.1)
        sign = Actor("traffic sign", x, z, height=size, style=style, base=2.0)
        if plan.place(sign, size / 2):
            plan.structures.append(
                Structure("post", x, x, z + 0.05, z + 0.05, 2.1, (150, 152, 155))
            )
