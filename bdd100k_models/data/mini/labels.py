"""All labels of a picture, read off the segments that it shows.

Boxes, masks, bitmasks and run lengths come from the same map of segments, so that they cannot
disagree. Formats are those of the bdd100k toolkit (``bdd100k.label``) and of Scalabel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_codec

from bdd100k_models.data.mini.camera import HEIGHT, WIDTH
from bdd100k_models.data.mini.categories import (
    BOX_CATEGORY,
    IGNORED,
    INS_SEG_ID,
    SEM_SEG_ID,
    STUFF_ID,
    THING_ID,
)
from bdd100k_models.data.mini.rendering import DRIVABLE_ID, FIRST_OBJECT, PaintedObject, Rendering
from bdd100k_models.zoo.classes import POSE_EDGES, POSE_KEYPOINTS

Frame = dict[str, Any]

#: An object of fewer visible pixels, or of a smaller share of its pixels, gets no label: its pixels
#: are left unlabelled.
MIN_PIXELS = 90
MIN_SHARE = 0.12
#: The same for a frame of a video: who is hidden comes back with the identity it had.
MIN_TRACKED_SHARE = 0.2
#: Of an object of a video with a smaller visible share, the evaluators ignore what is found there.
MIN_SCORED_SHARE = 0.5
#: Stuff of fewer pixels is left unlabelled too: slivers at the horizon that nobody would outline.
MIN_STUFF_PIXELS = 400
#: Below this visible share an object counts as occluded.
OCCLUDED_SHARE = 0.9

#: Numbers of panoptic segments: up to here they are the category ids of stuff.
STUFF_NUM = 30

#: ``TRAFFIC_LIGHT_COLOURS[style]``, the attribute of a traffic light.
TRAFFIC_LIGHT_COLOURS = ("red", "yellow", "green")


@dataclass(frozen=True)
class LabelledObject:
    """An object that is visible enough for a label.

    Attributes:
        painted: the object.
        box: x1, y1, x2, y2: first and last column and row of its visible pixels.
        share: of its pixels, how many are visible, 0-1.
        panoptic_id: number of its panoptic segment; 0 where it is part of a stuff segment.
        instance_id: number in the instance bitmask; 0 where it has none.
    """

    painted: PaintedObject
    box: tuple[int, int, int, int]
    share: float
    panoptic_id: int
    instance_id: int

    @property
    def occluded(self) -> bool:
        """Whether something covers a part of it."""
        return self.share < OCCLUDED_SHARE

    @property
    def crowd(self) -> bool:
        """Whether it is a group of people with one label."""
        return self.painted.actor.members > 0

    @property
    def ignored(self) -> bool:
        """Whether the detection evaluators ignore it, as they do with trailers."""
        return self.painted.actor.category == "trailer"

    @property
    def box_category(self) -> str:
        """Category in detection and instance labels."""
        category = self.painted.actor.category
        return BOX_CATEGORY.get(category, category)

    @property
    def flags(self) -> int:
        """Green channel of a bitmask: truncated, occluded, crowd, ignored from bit 3 to bit 0."""
        return (
            (int(self.painted.truncated) << 3)
            + (int(self.occluded) << 2)
            + (int(self.crowd) << 1)
            + int(self.ignored)
        )


@dataclass(frozen=True)
class PictureLabels:
    """Labels of one picture.

    Attributes:
        sem_seg: (720, 1280) uint8, train ids, 255 where nothing is labelled.
        drivable: (720, 1280) uint8: 0 direct, 1 alternative, 2 background.
        ins_seg: (720, 1280, 4) uint8 bitmask: category id, flags, instance id high and low byte.
        pan_seg: (720, 1280, 4) uint8 bitmask in the same form.
        frames: Scalabel frame by task: det_20, pose_21, ins_seg, sem_seg, drivable, pan_seg. Labels
            have no ``id`` yet, as ids count over the whole data set.
    """

    sem_seg: NDArray[np.uint8]
    drivable: NDArray[np.uint8]
    ins_seg: NDArray[np.uint8]
    pan_seg: NDArray[np.uint8]
    frames: dict[str, Frame]


def label(rendering: Rendering, name: str) -> PictureLabels:
    """The labels of a rendered scene; ``name`` is the file name of the picture."""
    objects = find_objects(rendering)
    segments = _without_slivers(rendering.segments)
    size = FIRST_OBJECT + len(rendering.scene.actors)
    category = np.zeros(size, dtype=np.int64)
    semantic = np.full(size, IGNORED, dtype=np.uint8)
    panoptic_id = np.zeros(size, dtype=np.int64)
    instance_id = np.zeros(size, dtype=np.int64)
    instance_category = np.zeros(size, dtype=np.uint8)
    flags = np.zeros(size, dtype=np.uint8)
    for stuff, number in STUFF_ID.items():
        category[number] = panoptic_id[number] = number
        semantic[number] = SEM_SEG_ID.get(stuff, IGNORED)
    for item in objects:
        segment = item.painted.segment
        kind = item.painted.actor.category
        semantic[segment] = SEM_SEG_ID.get(kind, IGNORED)
        if item.panoptic_id:
            category[segment] = THING_ID[kind]
            panoptic_id[segment] = item.panoptic_id
            flags[segment] = item.flags & 0b1110
        else:
            category[segment] = panoptic_id[segment] = STUFF_ID[kind]
        if item.instance_id:
            instance_id[segment] = item.instance_id
            instance_category[segment] = INS_SEG_ID["truck" if item.ignored else item.box_category]
    instance_flags = flags.copy()
    for item in objects:
        if item.instance_id:
            instance_flags[item.painted.segment] = item.flags
    return PictureLabels(
        sem_seg=semantic[segments],
        drivable=rendering.drivable,
        ins_seg=_bitmask(segments, instance_category, instance_flags, instance_id),
        pan_seg=_bitmask(segments, category.astype(np.uint8), flags, panoptic_id),
        frames={
            "det_20": _det_frame(rendering, objects, name),
            "pose_21": _pose_frame(rendering, objects, name),
            "ins_seg": {
                "name": name,
                "labels": [
                    {
                        "category": item.box_category,
                        "attributes": _attributes(item),
                        "rle": _rle(segments == item.painted.segment),
                    }
                    for item in objects
                    if item.instance_id
                ],
            },
            "sem_seg": _map_frame(name, semantic[segments], SEM_SEG_ID),
            "drivable": _map_frame(
                name,
                rendering.drivable,
                {key: DRIVABLE_ID[key] for key in ("direct", "alternative")},
            ),
            "pan_seg": _pan_seg_frame(name, panoptic_id[segments], objects),
        },
    )


@dataclass(frozen=True)
class TrackLabels:
    """Labels of one frame of a video.

    Attributes:
        boxes: Scalabel frame of box tracking, with ids.
        masks: Scalabel frame of segmentation tracking: run lengths and boxes.
        bitmask: (720, 1280, 4) uint8: category id, flags, identity high and low byte.
    """

    boxes: Frame
    masks: Frame
    bitmask: NDArray[np.uint8]


def label_tracks(
    rendering: Rendering, identities: Sequence[int], video: str, frame: int, name: str
) -> TrackLabels:
    """The tracking labels of a frame of a video.

    ``identities`` are those of the scene's actors; ``frame`` counts from 0.
    """
    objects = [item for item in find_objects(rendering, MIN_TRACKED_SHARE) if item.instance_id]
    size = FIRST_OBJECT + len(rendering.scene.actors)
    number = np.zeros(size, dtype=np.int64)
    category = np.zeros(size, dtype=np.uint8)
    flags = np.zeros(size, dtype=np.uint8)
    boxes: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    for item in objects:
        segment = item.painted.segment
        number[segment] = identities[segment - FIRST_OBJECT]
        category[segment] = INS_SEG_ID["truck" if item.ignored else item.box_category]
        hidden = item.share < MIN_SCORED_SHARE
        flags[segment] = item.flags | int(hidden)
        entry = {
            "id": str(number[segment]),
            "category": item.box_category,
            "attributes": {**_attributes(item), **({"ignored": True} if hidden else {})},
            "box2d": _box(item),
        }
        boxes.append(entry)
        masks.append({**entry, "rle": _rle(rendering.segments == segment)})
    place = {"name": name, "videoName": video, "frameIndex": frame}
    return TrackLabels(
        {**place, "labels": boxes},
        {**place, "labels": masks},
        _bitmask(rendering.segments, category, flags, number),
    )


def find_objects(rendering: Rendering, min_share: float = MIN_SHARE) -> list[LabelledObject]:
    """The objects that are visible enough, in the order of painting."""
    found: list[LabelledObject] = []
    things = instances = 0
    for painted in rendering.objects:
        shown = rendering.segments == painted.segment
        visible = int(shown.sum())
        if visible < max(MIN_PIXELS, min_share * painted.area):
            continue
        category = painted.actor.category
        is_thing = category in THING_ID
        things += is_thing
        instances += is_thing
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        found.append(
            LabelledObject(
                painted,
                (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])),
                visible / painted.area,
                STUFF_NUM + things if is_thing else 0,
                instances if is_thing else 0,
            )
        )
    return found


def _without_slivers(segments: NDArray[np.int32]) -> NDArray[np.int32]:
    """The map with the number 0 where stuff has too few pixels."""
    sizes = np.bincount(segments.ravel(), minlength=FIRST_OBJECT)
    numbers = np.arange(len(sizes))
    kept = np.where((numbers < FIRST_OBJECT) & (sizes < MIN_STUFF_PIXELS), 0, numbers)
    cleaned: NDArray[np.int32] = kept.astype(np.int32)[segments]
    return cleaned


def _bitmask(
    segments: NDArray[np.int32],
    category: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    number: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """(720, 1280, 4) uint8, from what each segment number stands for."""
    colours = np.stack([category, flags, number >> 8, number & 255], axis=1).astype(np.uint8)
    bitmask: NDArray[np.uint8] = colours[segments]
    return bitmask


def _attributes(item: LabelledObject) -> dict[str, bool]:
    return {
        "occluded": item.occluded,
        "truncated": item.painted.truncated,
        "crowd": item.crowd,
    }


def _box(item: LabelledObject) -> dict[str, int]:
    return dict(zip(("x1", "y1", "x2", "y2"), item.box, strict=True))


def _rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Scalabel's run lengths of a (720, 1280) bool mask."""
    code = mask_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": code["counts"].decode("ascii"), "size": [HEIGHT, WIDTH]}


def _det_frame(rendering: Rendering, objects: list[LabelledObject], name: str) -> Frame:
    labels: list[dict[str, Any]] = []
    for item in objects:
        actor = item.painted.actor
        colour = TRAFFIC_LIGHT_COLOURS[actor.style] if actor.category == "traffic light" else "NA"
        labels.append(
            {
                "attributes": {**_attributes(item), "trafficLightColor": colour},
                "category": item.box_category,
                "box2d": _box(item),
            }
        )
    scene = rendering.scene
    return {
        "name": name,
        "attributes": {
            "weather": scene.weather,
            "timeofday": scene.timeofday,
            "scene": scene.scene,
        },
        "timestamp": 10000,
        "labels": labels,
    }


def _pose_frame(rendering: Rendering, objects: list[LabelledObject], name: str) -> Frame:
    labels = []
    for item in objects:
        joints = item.painted.joints
        if item.painted.actor.category != "person" or joints is None:
            continue
        nodes = []
        for index, keypoint in enumerate(POSE_KEYPOINTS):
            x, y = (round(float(value), 2) for value in joints[index])
            node: dict[str, Any] = {
                "location": [min(max(x, 0.0), WIDTH - 1.0), min(max(y, 0.0), HEIGHT - 1.0)],
                "category": keypoint,
                "id": keypoint,
            }
            # A joint outside of the picture has no visibility, which makes it unlabelled.
            if 0 <= x < WIDTH and 0 <= y < HEIGHT:
                own = rendering.segments[int(y), int(x)] == item.painted.segment
                node["visibility"] = "V" if own else "N"
            nodes.append(node)
        labels.append(
            {
                "attributes": _attributes(item),
                "category": "pedestrian",
                "box2d": _box(item),
                "graph": {
                    "type": "Pose2D-18Joints",
                    "nodes": nodes,
                    "edges": [
                        {
                            "source": POSE_KEYPOINTS[start],
                            "target": POSE_KEYPOINTS[end],
                            "type": side,
                        }
                        for start, end, side in POSE_EDGES
                    ],
                },
            }
        )
    return {"name": name, "labels": labels}


def _map_frame(name: str, values: NDArray[np.uint8], ids: dict[str, int]) -> Frame:
    """A frame with one label for each category that a map shows."""
    present = np.bincount(values.ravel(), minlength=256)
    return {
        "name": name,
        "labels": [
            {"category": category, "rle": _rle(values == number)}
            for category, number in ids.items()
            if present[number]
        ],
    }


def _pan_seg_frame(name: str, panoptic: NDArray[np.int64], objects: list[LabelledObject]) -> Frame:
    present = np.bincount(panoptic.ravel(), minlength=STUFF_NUM + 1)
    labels: list[dict[str, Any]] = [
        {"category": category, "rle": _rle(panoptic == number)}
        for category, number in STUFF_ID.items()
        if present[number]
    ]
    for item in objects:
        if item.panoptic_id:
            labels.append(
                {
                    "category": item.painted.actor.category,
                    "attributes": _attributes(item),
                    "rle": _rle(panoptic == item.panoptic_id),
                }
            )
    return {"name": name, "labels": labels}
