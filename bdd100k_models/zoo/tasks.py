"""The tasks of the zoo: what each is called, works on, reads and writes.

A fact of a task that more than one room needs stands here. How its pictures, results and scores
are made stands in ``tasks/<name>.py``. Neither torch nor any OpenMMLab package is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bdd100k_models.errors import UserError, nearest
from bdd100k_models.zoo import classes

#: The picture sets of BDD100K, folders below ``images/``.
ImageSet = Literal["100k", "10k", "track", "seg_track_20"]

#: How labels and predictions are stored: ``json`` is Scalabel JSON (masks as run lengths),
#: ``masks`` a folder of PNGs (masks or bitmasks).
Form = Literal["json", "masks"]
FORMS: tuple[Form, ...] = ("json", "masks")

#: Pictures of a set by split.
IMAGE_SET_SIZES: Mapping[ImageSet, Mapping[str, int]] = MappingProxyType(
    {
        "100k": MappingProxyType({"train": 70_000, "val": 10_000, "test": 20_000}),
        "10k": MappingProxyType({"train": 7_000, "val": 1_000, "test": 2_000}),
    }
)

#: Videos of a set by split.
VIDEO_SET_SIZES: Mapping[ImageSet, Mapping[str, int]] = MappingProxyType(
    {
        "track": MappingProxyType({"train": 1_400, "val": 200, "test": 400}),
        "seg_track_20": MappingProxyType({"train": 154, "val": 32, "test": 37}),
    }
)


@dataclass(frozen=True)
class TaskFacts:
    """What is known of a task.

    Attributes:
        name: as folders, options and the catalogue have it.
        title: as people call it.
        package: the OpenMMLab package that its models come from; empty where it does not run.
        image_set: the pictures that it is defined on.
        classes: in the order of the published weights; empty for tagging, see ``tags``.
        tags: tagging alone: attribute of a frame -> its values, in the order of the weights.
        dataset_types: the types of dataset that its configs name; for tagging one for each of
            ``tags``, in their order.
        ground_truth: form -> paths below the data root with ``{split}`` (``train``, ``val``); the
            first that exists is the one. Empty where the evaluators do not know the task.
        labelled: pictures with labels by split, where that is known.
        output: the JSON file that a run writes and the evaluators read.
        png_channels: of the PNG form of the predictions; 0 where there is none.
        toolkit_name: what the bdd100k toolkit calls it, where that is another name.
        videos: its pictures are frames of videos, which have an identity for each object.
    """

    name: str
    title: str
    image_set: ImageSet
    output: str
    package: str = ""
    classes: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dataset_types: tuple[str, ...] = ()
    ground_truth: Mapping[Form, tuple[str, ...]] = field(default_factory=dict)
    labelled: Mapping[str, int] = field(default_factory=dict)
    png_channels: int = 0
    toolkit_name: str = ""
    videos: bool = False

    @property
    def toolkit(self) -> str:
        """What the bdd100k toolkit calls it."""
        return self.toolkit_name or self.name

    @property
    def pictures(self) -> str:
        """Folder of its pictures below the data root, with ``{split}``."""
        return f"images/{self.image_set}/{{split}}"


_LABELLED_10K = {"train": 7_000, "val": 1_000}

_FACTS = (
    TaskFacts(
        name="tagging",
        title="Image tagging",
        image_set="100k",
        output="tagging.json",
        package="mmcls",
        tags={"weather": classes.WEATHER, "scene": classes.SCENE},
        dataset_types=("BDD100KWeatherTaggingDataset", "BDD100KSceneTaggingDataset"),
        ground_truth={
            # The second name is the release of 2018, which has the same attributes.
            "json": (
                "labels/det_20/det_{split}.json",
                "labels/bdd100k_labels_images_{split}.json",
            )
        },
        labelled={"train": 69_863, "val": 10_000},
    ),
    TaskFacts(
        name="det",
        title="Object detection",
        image_set="100k",
        output="det.json",
        package="mmdet",
        classes=classes.DET,
        dataset_types=("BDD100KDetDataset",),
        ground_truth={"json": ("labels/det_20/det_{split}.json",)},
        labelled={"train": 69_863, "val": 10_000},
    ),
    TaskFacts(
        name="ins_seg",
        title="Instance segmentation",
        image_set="10k",
        output="ins_seg.json",
        package="mmdet",
        classes=classes.INS_SEG,
        dataset_types=("BDD100KInsSegDataset",),
        ground_truth={
            "json": ("labels/ins_seg/rles/ins_seg_{split}.json",),
            "masks": ("labels/ins_seg/bitmasks/{split}",),
        },
        labelled=_LABELLED_10K,
        png_channels=4,
    ),
    TaskFacts(
        name="sem_seg",
        title="Semantic segmentation",
        image_set="10k",
        output="sem_seg.json",
        package="mmseg",
        classes=classes.SEM_SEG,
        dataset_types=("BDD100KSemSegDataset",),
        ground_truth={
            "json": ("labels/sem_seg/rles/sem_seg_{split}.json",),
            "masks": ("labels/sem_seg/masks/{split}",),
        },
        labelled=_LABELLED_10K,
        png_channels=1,
    ),
    TaskFacts(
        name="drivable",
        title="Drivable area segmentation",
        image_set="100k",
        output="drivable.json",
        package="mmseg",
        classes=classes.DRIVABLE,
        dataset_types=("BDD100KDrivableDataset",),
        ground_truth={
            "json": ("labels/drivable/rles/drivable_{split}.json",),
            "masks": ("labels/drivable/masks/{split}",),
        },
        labelled={"train": 70_000, "val": 10_000},
        png_channels=1,
    ),
    TaskFacts(
        name="pan_seg",
        title="Panoptic segmentation",
        image_set="10k",
        output="pan_seg.json",
        package="mmdet",
        classes=classes.PAN_SEG,
        dataset_types=("BDD100KPanSegDataset",),
        ground_truth={
            "json": ("labels/pan_seg/rles/pan_seg_{split}.json",),
            "masks": ("labels/pan_seg/bitmasks/{split}",),
        },
        labelled=_LABELLED_10K,
        png_channels=4,
    ),
    TaskFacts(
        name="pose",
        title="Pose estimation",
        image_set="100k",
        output="result_keypoints.json",
        package="mmpose",
        classes=(classes.POSE_CATEGORY,),
        dataset_types=("TopDownBDD100KPoseDataset",),
        ground_truth={"json": ("labels/pose_21/pose_{split}.json",)},
    ),
    TaskFacts(
        name="mot",
        title="Multiple object tracking",
        image_set="track",
        output="mot.json",
        package="mmdet",
        classes=classes.TRACKED,
        dataset_types=("BDD100KMOTDataset",),
        ground_truth={
            "json": (
                "labels/box_track_20/{split}",
                "labels/box_track_20/box_track_{split}.json",
                # Annotations that others keep, where the official labels cannot be had.
                "labels/box_track_20/bdd_box_track_{split}_cocofmt.json",
            )
        },
        toolkit_name="box_track",
        videos=True,
    ),
    TaskFacts(
        name="mots",
        title="Multiple object tracking and segmentation",
        image_set="seg_track_20",
        output="mots.json",
        package="mmdet",
        classes=classes.TRACKED,
        dataset_types=("BDD100KMOTSDataset",),
        ground_truth={
            "json": (
                "labels/seg_track_20/rles/{split}",
                "labels/seg_track_20/rles/seg_track_{split}.json",
            )
        },
        toolkit_name="seg_track",
        videos=True,
    ),
)

#: Every task by name, in the order of the catalogue.
TASKS: Mapping[str, TaskFacts] = MappingProxyType({facts.name: facts for facts in _FACTS})


def facts(name: str) -> TaskFacts:
    """What is known of a task.

    Raises:
        UserError: no such task.
    """
    if name not in TASKS:
        raise UserError(f"no task {name!r}; {nearest(name, TASKS)}")
    return TASKS[name]


def of_dataset_type(dataset_type: str) -> TaskFacts | None:
    """The task whose configs name this type of dataset; None where none does."""
    return next((facts for facts in _FACTS if dataset_type in facts.dataset_types), None)


def name_endings(task: str) -> tuple[str, ...]:
    """What the names of a task's models end in, one for each attribute of tagging."""
    kinds = [f"{tag}_tag" for tag in facts(task).tags] or [task]
    return tuple(f"_{kind}_bdd100k" for kind in kinds)
