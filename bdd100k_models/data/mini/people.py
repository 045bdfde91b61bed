"""Pedestrians as jointed figures, two-wheelers and their riders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.data.mini.canvas import Canvas, Colour, mix, scale
from bdd100k_models.data.mini.scene import Actor, Gait
from bdd100k_models.data.mini.solids import Box, Place, paint_box
from bdd100k_models.zoo.classes import POSE_KEYPOINTS

SKIN: tuple[Colour, ...] = ((236, 196, 168), (198, 146, 112), (130, 88, 62), (84, 56, 42))
HAIR: tuple[Colour, ...] = ((48, 34, 26), (120, 82, 44), (24, 22, 24), (200, 168, 100))
#: The two sides of the body wear different gloves and shoes, so that a picture tells left from
#: right.
RIGHT_MARK: Colour = (245, 150, 30)
LEFT_MARK: Colour = (50, 110, 235)

_INDEX = {name: index for index, name in enumerate(POSE_KEYPOINTS)}
#: Thickness of limbs as a share of the body height.
_LIMBS: tuple[tuple[str, str, float], ...] = (
    ("hip", "knee", 0.043),
    ("knee", "ankle", 0.033),
    ("ankle", "foot", 0.026),
    ("shoulder", "elbow", 0.031),
    ("elbow", "wrist", 0.026),
    ("wrist", "hand", 0.026),
)


def standing_joints(height: float, gait: Gait) -> NDArray[np.float64]:
    """The joints of a walking or standing person.

    Returns:
        (18, 3) float64 in the order of ``POSE_KEYPOINTS``, metres ``right, up, forward``.
    """
    joints = np.zeros((len(POSE_KEYPOINTS), 3))

    def put(name: str, right: float, up: float, forward: float) -> None:
        joints[_INDEX[name]] = (right * height, up * height, forward * height)

    put("head", 0.0, 0.925, 0.015)
    put("neck", 0.0, 0.83, 0.0)
    for side, sign, lift in (
        ("right", 1.0, gait.right_lift),
        ("left", -1.0, gait.left_lift),
    ):
        swing = gait.stride * sign
        shoulder = np.array([0.115 * sign, 0.795, 0.0])
        hip = np.array([0.062 * sign, 0.5, 0.0])
        put(f"{side}_shoulder", *shoulder)
        put(f"{side}_hip", *hip)
        bend = max(0.0, -swing) * 0.9
        knee = hip + 0.235 * np.array([0.06 * sign, -np.cos(swing), np.sin(swing)])
        ankle = knee + 0.225 * np.array([0.0, -np.cos(swing - bend), np.sin(swing - bend)])
        put(f"{side}_knee", *knee)
        put(f"{side}_ankle", *ankle)
        put(f"{side}_foot", ankle[0] + 0.012 * sign, ankle[1] - 0.022, ankle[2] + 0.075)
        arm_swing = -swing * 0.9
        out, down = np.sin(lift), np.cos(lift)
        elbow = shoulder + 0.175 * np.array(
            [out * sign, -down * np.cos(arm_swing), down * np.sin(arm_swing)]
        )
        fold = arm_swing + gait.bend
        raised = lift + (0.5 if lift > 1.0 else 0.0)
        fore = np.array(
            [
                np.sin(raised) * sign,
                -np.cos(raised) * np.cos(fold),
                abs(np.cos(raised)) * np.sin(fold),
            ]
        )
        put(f"{side}_elbow", *elbow)
        put(f"{side}_wrist", *(elbow + 0.145 * fore))
        put(f"{side}_hand", *(elbow + 0.195 * fore))
    # The lower foot stands on the ground.
    joints[:, 1] -= joints[:, 1].min() - 0.02 * height
    return joints


def riding_joints(
    seat: Sequence[float], grip: Sequence[float], pedal: float
) -> NDArray[np.float64]:
    """The joints of a rider, (18, 3) as ``standing_joints``.

    Args:
        seat: height and forward position of the hips, metres.
        grip: the same of the hands.
        pedal: height of the feet, metres.
    """
    joints = np.zeros((len(POSE_KEYPOINTS), 3))
    hip = np.array([0.0, seat[0], seat[1]])
    hand = np.array([0.0, grip[0], grip[1]])
    neck = hip + np.array([0.0, 0.5, 0.16])
    joints[_INDEX["head"]] = neck + np.array([0.0, 0.17, 0.06])
    joints[_INDEX["neck"]] = neck
    for side, sign in (("right", 1.0), ("left", -1.0)):
        shoulder = neck + np.array([0.2 * sign, -0.06, 0.0])
        wrist = hand + np.array([0.24 * sign, 0.0, -0.06])
        foot_low = 0.12 if side == "right" else 0.0
        ankle = np.array([0.13 * sign, pedal + 0.08 + foot_low, hip[2] + 0.24])
        placed = {
            "shoulder": shoulder,
            "hip": hip + np.array([0.12 * sign, 0.0, 0.0]),
            "elbow": (shoulder + wrist) / 2 + np.array([0.06 * sign, -0.08, -0.02]),
            "wrist": wrist,
            "hand": hand + np.array([0.24 * sign, 0.0, 0.0]),
            "knee": (hip + ankle) / 2 + np.array([0.15 * sign, 0.1, 0.22]),
            "ankle": ankle,
            "foot": ankle + np.array([0.0, -0.04, 0.13]),
        }
        for name, point in placed.items():
            joints[_INDEX[f"{side}_{name}"]] = point
    return joints


def paint_figure(
    canvas: Canvas,
    joints: NDArray[np.float64],
    height: float,
    actor: Actor,
    segment: int,
    helmet: Colour | None = None,
) -> NDArray[np.float64]:
    """Paint a jointed figure.

    Args:
        canvas: what to paint on.
        joints: (18, 3) world points, metres.
        height: body height in metres, for the thickness of limbs.
        actor: gives clothes and looks.
        segment: number of the segment.
        helmet: colour of a helmet, where one is worn.

    Returns:
        (18, 2) float64, the joints in pixels.
    """
    pixels = canvas.camera.project(joints)
    depth = float(joints[:, 2].mean())
    size = canvas.camera.pixels_per_metre(depth) * height
    shirt = actor.colour
    trousers: Colour = ((52, 58, 82), (70, 64, 60), (40, 40, 44), (96, 100, 84))[actor.style % 4]
    skin = SKIN[actor.style % len(SKIN)]

    def joint(name: str) -> NDArray[np.float64]:
        point: NDArray[np.float64] = pixels[_INDEX[name]]
        return point

    def limb(side: str, start: str, end: str, share: float) -> None:
        points = np.array([joint(f"{side}_{start}"), joint(f"{side}_{end}")])
        if end in ("hand", "foot"):
            colour = RIGHT_MARK if side == "right" else LEFT_MARK
        else:
            cloth = shirt if start in ("shoulder", "elbow") else trousers
            # One side warm and light, the other cool and dark.
            tone: Colour = (250, 214, 170) if side == "right" else (20, 26, 60)
            colour = mix(cloth, tone, 0.3)
        canvas.stroke(points, share * size, colour, segment, depth)

    def torso() -> None:
        corners = [
            joint(f"{s}_{p}")
            for s, p in (
                ("right", "shoulder"),
                ("left", "shoulder"),
                ("left", "hip"),
                ("right", "hip"),
            )
        ]
        outline = np.array([*corners, corners[0]])
        canvas.polygon(np.array(corners), shirt, segment, depth)
        canvas.stroke(outline, 0.038 * size, shirt, segment, depth)
        spine = np.array([joint("neck"), (corners[2] + corners[3]) / 2])
        canvas.stroke(spine, 0.05 * size, shirt, segment, depth)

    def head() -> None:
        canvas.stroke(np.array([joint("neck"), joint("head")]), 0.026 * size, skin, segment, depth)
        center = joint("head")
        radius = 0.066 * size
        facing = -np.cos(actor.yaw)
        if helmet is not None:
            canvas.disc(center, radius * 1.2, helmet, segment, depth, 1.1)
        else:
            hair = HAIR[(actor.style * 7 + 1) % len(HAIR)]
            canvas.disc(center - (0, radius * 0.18), radius * 1.08, hair, segment, depth, 1.15)
        if facing > -0.6:
            shift = np.array([np.sin(actor.yaw) * radius * 0.45, radius * 0.25])
            canvas.disc(center + shift, radius * 0.82, skin, segment, depth, 1.05)
            if facing > 0.2:
                for offset in (-0.32, 0.32):
                    eye = center + shift + (offset * radius, -0.12 * radius)
                    canvas.disc(eye, max(0.8, 0.11 * radius), (30, 24, 22), segment, depth)

    # Parts from far to near; the body is in between the limbs of its two sides.
    parts: list[tuple[float, int]] = []
    strokes: list[tuple[str, str, str, float]] = []
    for side in ("right", "left"):
        for start, end, share in _LIMBS:
            far = (joints[_INDEX[f"{side}_{start}"], 2] + joints[_INDEX[f"{side}_{end}"], 2]) / 2
            parts.append((far, len(strokes)))
            strokes.append((side, start, end, share))
    middle = joints[_INDEX["neck"], 2]
    # Arms at the depth of the trunk are drawn over it.
    behind = sorted((part for part in parts if part[0] > middle + 0.02), reverse=True)
    before = sorted((part for part in parts if part[0] <= middle + 0.02), reverse=True)
    for _, index in behind:
        limb(*strokes[index])
    torso()
    for _, index in before:
        limb(*strokes[index])
    head()
    return pixels


def paint_pedestrian(canvas: Canvas, actor: Actor, segment: int) -> NDArray[np.float64]:
    """Paint a pedestrian and give the joints in pixels, (18, 2)."""
    joints = Place(actor.x, actor.z, actor.yaw).to_world(standing_joints(actor.height, actor.gait))
    return paint_figure(canvas, joints, actor.height, actor, segment)


def paint_crowd(canvas: Canvas, actor: Actor, segment: int) -> None:
    """Paint a group of people that has one label."""
    rng = np.random.default_rng(actor.style)
    spots = sorted(
        (
            (float(rng.uniform(-0.2, 1.2)), float(offset))
            for offset in np.linspace(-1.3, 1.3, actor.members)
        ),
        reverse=True,
    )
    for number, (behind, offset) in enumerate(spots):
        tone = rng.uniform(40, 230, 3)
        member = Actor(
            "person",
            actor.x + offset,
            actor.z + behind,
            float(rng.uniform(2.6, 3.7)),
            float(rng.uniform(1.6, 1.85)),
            (float(tone[0]), float(tone[1]), float(tone[2])),
            number,
            gait=Gait(stride=float(rng.uniform(-0.4, 0.4))),
        )
        paint_pedestrian(canvas, member, segment)


def paint_two_wheeler(canvas: Canvas, actor: Actor, segment: int) -> None:
    """Paint a bicycle or a motorcycle."""
    place = Place(actor.x, actor.z, actor.yaw)
    scale_px = canvas.camera.pixels_per_metre(actor.z)

    def pixels(points: Sequence[Sequence[float]]) -> NDArray[np.float64]:
        """Points ``right, up, forward`` of the machine in the picture."""
        world = place.to_world(np.array(points, dtype=np.float64))
        world[:, 2] = np.maximum(world[:, 2], 1.5)
        return canvas.camera.project(world)

    def tube(points: Sequence[Sequence[float]], width: float, colour: Colour) -> None:
        canvas.stroke(pixels(points), width * scale_px / 2, colour, segment, actor.z)

    def wheel(forward: float, radius: float, tyre: float, filling: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 25)
        ring = [
            (0.0, radius + tyre / 2 + radius * np.sin(a), forward + radius * np.cos(a))
            for a in angles
        ]
        canvas.polygon(pixels(ring), filling, segment, actor.z)
        tube(ring, tyre, (26, 26, 28))

    if actor.category == "bicycle":
        frame = actor.colour
        for forward in (-0.55, 0.55):
            wheel(forward, 0.34, 0.085, (126, 128, 132))
        crank, saddle, head = (0.0, 0.34, -0.08), (0.0, 0.92, -0.24), (0.0, 0.88, 0.36)
        rear, front = (0.0, 0.38, -0.55), (0.0, 0.38, 0.55)
        tube([rear, crank, head, saddle, rear], 0.075, frame)
        tube([saddle, crank], 0.075, frame)
        tube([head, front], 0.075, frame)
        tube([head, (0.0, 1.02, 0.32)], 0.07, (40, 40, 42))
        tube([(-0.27, 1.05, 0.3), (0.27, 1.05, 0.3)], 0.07, (40, 40, 42))
        tube([(0.0, 0.96, -0.36), (0.0, 0.96, -0.12)], 0.1, (30, 30, 32))
        return
    for forward in (-0.72, 0.72):
        wheel(forward, 0.26, 0.17, (90, 92, 96))
    tube([(0.0, 0.36, 0.72), (0.0, 1.0, 0.42)], 0.12, (150, 152, 156))
    paint_box(canvas, place, Box(-0.35, 0.35, 0.28, 0.62, 0.19), (72, 74, 78), segment)
    tank = Box(-0.1, 0.48, 0.62, 0.98, 0.2, 0.0, 0.42, 0.14)
    paint_box(canvas, place, tank, actor.colour, segment)
    paint_box(canvas, place, Box(-0.78, -0.1, 0.64, 0.82, 0.16), (28, 28, 30), segment)
    tail = paint_box(canvas, place, Box(-0.98, -0.6, 0.6, 0.78, 0.13), actor.colour, segment)
    if "rear" in tail:
        canvas.face(tail["rear"].patch(0.1, 0.1, 0.9, 0.9), (220, 24, 24), None)
        canvas.glow(tail["rear"].at(0.5, 0.5), 0.3, (220, 24, 24))
    tube([(-0.36, 1.08, 0.34), (0.36, 1.08, 0.34)], 0.08, (40, 40, 42))
    screen = paint_box(
        canvas,
        place,
        Box(0.4, 0.56, 0.86, 1.16, 0.2, 0.34, 0.42, 0.14),
        scale(actor.colour, 0.9),
        segment,
    )
    if "front" in screen:
        canvas.face(screen["front"].patch(0.25, 0.1, 0.75, 0.55), (255, 250, 215), None)
        canvas.glow(screen["front"].at(0.5, 0.3), 0.4, (255, 250, 215))


def paint_rider(canvas: Canvas, actor: Actor, segment: int) -> NDArray[np.float64]:
    """Paint the rider of a two-wheeler and give the joints in pixels, (18, 2)."""
    if actor.rider == "bicycle":
        joints = riding_joints((0.98, -0.24), (1.06, 0.3), 0.2)
        helmet: Colour = (232, 232, 226)
    else:
        joints = riding_joints((0.86, -0.32), (1.1, 0.34), 0.3)
        helmet = mix(actor.colour, (20, 20, 24), 0.6)
    world = Place(actor.x, actor.z, actor.yaw).to_world(joints)
    world[:, 2] = np.maximum(world[:, 2], 1.5)
    return paint_figure(canvas, world, 1.75, actor, segment, helmet)
