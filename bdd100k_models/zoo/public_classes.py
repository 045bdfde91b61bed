"""What the classes of other data sets are in those of the tasks here, by name.

A table stands for a data set and a task, whichever model it is used with. A class that is not
named has no source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bdd100k_models.zoo import classes

#: Cityscapes, instances; ``person`` holds who sits, too.
CITYSCAPES_THINGS: tuple[str, ...] = (
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
)

#: Cityscapes, regions: the classes of semantic segmentation here, in the same order.
CITYSCAPES: tuple[str, ...] = classes.SEM_SEG

#: COCO, boxes and masks; the things of its panoptic classes.
COCO: tuple[str, ...] = (
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
)

#: COCO panoptic, what is no thing; follows the things.
COCO_STUFF: tuple[str, ...] = (
    "banner",
    "blanket",
    "bridge",
    "cardboard",
    "counter",
    "curtain",
    "door-stuff",
    "floor-wood",
    "flower",
    "fruit",
    "gravel",
    "house",
    "light",
    "mirror-stuff",
    "net",
    "pillow",
    "platform",
    "playingfield",
    "railroad",
    "river",
    "road",
    "roof",
    "sand",
    "sea",
    "shelf",
    "snow",
    "stairs",
    "tent",
    "towel",
    "wall-brick",
    "wall-stone",
    "wall-tile",
    "wall-wood",
    "water-other",
    "window-blind",
    "window-other",
    "tree-merged",
    "fence-merged",
    "ceiling-merged",
    "sky-other-merged",
    "cabinet-merged",
    "table-merged",
    "floor-other-merged",
    "pavement-merged",
    "mountain-merged",
    "grass-merged",
    "dirt-merged",
    "paper-merged",
    "food-other-merged",
    "building-other-merged",
    "rock-merged",
    "wall-other-merged",
    "rug-merged",
)

#: COCO, the keypoints of a person.
COCO_KEYPOINTS: tuple[str, ...] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

#: ADE20K.
ADE20K: tuple[str, ...] = (
    "wall",
    "building",
    "sky",
    "floor",
    "tree",
    "ceiling",
    "road",
    "bed",
    "windowpane",
    "grass",
    "cabinet",
    "sidewalk",
    "person",
    "earth",
    "door",
    "table",
    "mountain",
    "plant",
    "curtain",
    "chair",
    "car",
    "water",
    "painting",
    "sofa",
    "shelf",
    "house",
    "sea",
    "mirror",
    "rug",
    "field",
    "armchair",
    "seat",
    "fence",
    "desk",
    "rock",
    "wardrobe",
    "lamp",
    "bathtub",
    "railing",
    "cushion",
    "base",
    "box",
    "column",
    "signboard",
    "chest of drawers",
    "counter",
    "sand",
    "sink",
    "skyscraper",
    "fireplace",
    "refrigerator",
    "grandstand",
    "path",
    "stairs",
    "runway",
    "case",
    "pool table",
    "pillow",
    "screen door",
    "stairway",
    "river",
    "bridge",
    "bookcase",
    "blind",
    "coffee table",
    "toilet",
    "flower",
    "book",
    "hill",
    "bench",
    "countertop",
    "stove",
    "palm",
    "kitchen island",
    "computer",
    "swivel chair",
    "boat",
    "bar",
    "arcade machine",
    "hovel",
    "bus",
    "towel",
    "light",
    "truck",
    "tower",
    "chandelier",
    "awning",
    "streetlight",
    "booth",
    "television receiver",
    "airplane",
    "dirt track",
    "apparel",
    "pole",
    "land",
    "bannister",
    "escalator",
    "ottoman",
    "bottle",
    "buffet",
    "poster",
    "stage",
    "van",
    "ship",
    "fountain",
    "conveyer belt",
    "canopy",
    "washer",
    "plaything",
    "swimming pool",
    "stool",
    "barrel",
    "basket",
    "waterfall",
    "tent",
    "bag",
    "minibike",
    "cradle",
    "oven",
    "ball",
    "food",
    "step",
    "tank",
    "trade name",
    "microwave",
    "pot",
    "animal",
    "bicycle",
    "lake",
    "dishwasher",
    "screen",
    "blanket",
    "sculpture",
    "hood",
    "sconce",
    "vase",
    "traffic light",
    "tray",
    "ashcan",
    "fan",
    "pier",
    "crt screen",
    "plate",
    "monitor",
    "bulletin board",
    "shower",
    "radiator",
    "glass",
    "clock",
    "flag",
)


@dataclass(frozen=True)
class ClassMap:
    """The classes of a source in those of a task.

    Attributes:
        source: classes of the source, in the order of its class layer.
        target: classes (pose: joints) of the task, in the order of theirs.
        names: class of the task -> those of the source that are it, the nearest first. What is
            not there has no source.
        near: classes of the task whose source means something a little different.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    near: frozenset[str] = frozenset()

    @property
    def rows(self) -> tuple[tuple[int, ...], ...]:
        """For each class of the task its positions in the source, the nearest first."""
        return tuple(
            tuple(self.source.index(name) for name in self.names.get(own, ()))
            for own in self.target
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Classes of the task that have no source."""
        return tuple(own for own in self.target if own not in self.names)

    def told(self) -> str:
        """Which classes of the task have no source, and which one that is not quite the same."""
        near = [
            own if self.names[own] == (own,) else f"{own} from {' and '.join(self.names[own])}"
            for own in self.target
            if own in self.near
        ]
        parts = [
            f"no source for {', '.join(self.missing)}" if self.missing else "",
            f"near, not the same: {', '.join(near)}" if near else "",
        ]
        return "; ".join(filter(None, parts))

    @property
    def dropped(self) -> tuple[str, ...]:
        """Classes of the source that are none of the task's."""
        used = {name for names in self.names.values() for name in names}
        return tuple(name for name in self.source if name not in used)


def _same(names: tuple[str, ...], **others: str | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Equal names, and those that differ; spaces are underscores in keywords."""
    named = {key.replace("_", " "): value for key, value in others.items()}
    table: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    for own, source in named.items():
        table[own] = (source,) if isinstance(source, str) else source
    return table


_VEHICLES = ("car", "truck", "bus", "train", "motorcycle", "bicycle")
_INSTANCES = _same(_VEHICLES, pedestrian="person")

_ADE20K_SEM_SEG = _same(
    ("road", "sidewalk", "wall", "fence", "pole", "sky", "person", "truck", "bus", "bicycle"),
    building=("building", "house", "skyscraper"),
    traffic_light="traffic light",
    traffic_sign="signboard",
    vegetation=("tree", "plant", "palm"),
    terrain=("grass", "earth", "field"),
    car=("car", "van"),
    motorcycle="minibike",
)

_COCO_PAN_SEG = _same(
    ("person", *_VEHICLES, "road", "bridge", "banner"),
    rail_track="railroad",
    sidewalk="pavement-merged",
    building="building-other-merged",
    fence="fence-merged",
    wall="wall-other-merged",
    street_light="light",
    terrain="grass-merged",
    vegetation="tree-merged",
    sky="sky-other-merged",
)

_COCO_POSE = {
    **{name: (name,) for name in classes.POSE_KEYPOINTS if name in COCO_KEYPOINTS},
    "head": ("nose",),
}

#: Lanes have no source: a road is all of its lanes, those of others and the oncoming ones too.
_ROAD = {"direct": ("road",)}

#: Data set of the source, task here -> classes.
_MAPS: Mapping[tuple[str, str], ClassMap] = MappingProxyType(
    {
        ("COCO", "det"): ClassMap(
            COCO,
            classes.DET,
            _INSTANCES | {"traffic light": ("traffic light",), "traffic sign": ("stop sign",)},
            frozenset({"pedestrian", "traffic sign"}),
        ),
        ("COCO", "ins_seg"): ClassMap(COCO, classes.INS_SEG, _INSTANCES, frozenset({"pedestrian"})),
        ("COCO", "pan_seg"): ClassMap(
            COCO + COCO_STUFF,
            classes.PAN_SEG,
            _COCO_PAN_SEG,
            frozenset({"person", "building", "wall", "street light", "terrain", "vegetation"}),
        ),
        ("COCO", "pose"): ClassMap(
            COCO_KEYPOINTS, classes.POSE_KEYPOINTS, _COCO_POSE, frozenset({"head"})
        ),
        ("Cityscapes", "ins_seg"): ClassMap(
            CITYSCAPES_THINGS, classes.INS_SEG, _INSTANCES | {"rider": ("rider",)}
        ),
        ("Cityscapes", "sem_seg"): ClassMap(CITYSCAPES, classes.SEM_SEG, _same(CITYSCAPES)),
        ("Cityscapes", "drivable"): ClassMap(
            CITYSCAPES, classes.DRIVABLE, _ROAD, frozenset({"direct"})
        ),
        ("ADE20K", "sem_seg"): ClassMap(
            ADE20K,
            classes.SEM_SEG,
            _ADE20K_SEM_SEG,
            frozenset({"wall", "traffic sign", "vegetation", "terrain", "motorcycle"}),
        ),
        ("BDD100K", "weather"): ClassMap(classes.WEATHER, classes.WEATHER, _same(classes.WEATHER)),
        ("BDD100K", "scene"): ClassMap(classes.SCENE, classes.SCENE, _same(classes.SCENE)),
        ("ADE20K", "drivable"): ClassMap(ADE20K, classes.DRIVABLE, _ROAD, frozenset({"direct"})),
    }
)


def class_map(dataset: str, task: str) -> ClassMap | None:
    """The classes of a data set in those of a task; None where they say nothing about them.

    Tagging is asked for by its attribute, ``weather`` or ``scene``.
    """
    return _MAPS.get((dataset, task))


def by_name(source: tuple[str, ...], target: tuple[str, ...], task: str) -> ClassMap:
    """Classes of any source in those of a task: equal names, else those that COCO has for them."""
    known = class_map("COCO", task)
    names: dict[str, tuple[str, ...]] = {}
    for own in target:
        others = known.names.get(own, ()) if known is not None else ()
        found = [name for name in (own, *others) if name in source]
        if found:
            names[own] = (found[0],)
    near = known.near if known is not None else frozenset()
    return ClassMap(
        source,
        target,
        names,
        frozenset(own for own, (name,) in names.items() if name != own) & near,
    )
