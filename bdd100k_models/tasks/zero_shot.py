"""A model with the weights of others: run as they were trained, told in the classes of the task.

The network has the class layer of the source, whole: its softmax, its suppression and its choice of
the best class are those of the source. What comes out is renamed then, class by class, and what is
no class of the task is dropped. So a result is the source's own, and no boat becomes a truck.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.config import apply_options, parse_options
from bdd100k_models.errors import UserError
from bdd100k_models.frames.panoptic import INSTANCE_OFFSET
from bdd100k_models.zoo.public import PublicSource
from bdd100k_models.zoo.public_classes import COCO, ClassMap, by_name

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import Converter, Forward, Task
    from bdd100k_models.weights.layouts import Foreign
    from bdd100k_models.zoo.catalogue import PublishedModel

#: The value of pixels that have no class.
_NO_CLASS = 255

#: What a source that knows roads and no lanes can say of a drivable area; the file has its name.
_ROAD = ("road", "background")


@dataclass(frozen=True)
class ZeroShot:
    """Weights of others in the place of a model's own.

    Attributes:
        model: name of the published model whose architecture it is.
        task: name of its task.
        source: whose weights.
        classes: the classes of the source in those of the task.
        foreign: the weights under our names, where the source has others.
    """

    model: str
    task: str
    source: PublicSource
    classes: ClassMap
    foreign: Foreign | None = None

    @classmethod
    def of(cls, model: PublishedModel) -> ZeroShot:
        """The public weights of a published model.

        Raises:
            UserError: none are known, or they fit too little of it to run.
        """
        source = model.public
        if source is None:
            raise UserError(f"{model.name}: no public weights are known that fit it")
        subject = model.tag or model.task
        known = source.classes(subject)
        if known is None or not source.runs(subject):
            fits = "all but the class layer" if source.fit == "rows" else "the backbone"
            fits = "backbone and neck" if source.fit == "backbone_neck" else fits
            raise UserError(
                f"{model.name}: its public weights ({source.owner}, trained on {source.dataset}) "
                f"fit {fits} and can start a training only: python tools/train.py {model.name} "
                "--cfg-options load_from=public"
            )
        return cls(model.name, model.task, source, known)

    def check_scored(self) -> None:
        """Its results are such as the official evaluator of the task can score.

        Raises:
            UserError: they are not.
        """
        if self.task == "drivable":
            raise UserError(
                f"--eval: {self.model} with public weights finds roads, which are no drivable "
                "lanes, and is not scored as such; run it without --eval, or train it"
            )

    # -- what is told -------------------------------------------------------------------------

    def line(self) -> str:
        """Whose weights, trained on what, and what they do not know."""
        source = self.source
        figure = f", {source.metric} there" if source.metric else ""
        parts = [
            f"public weights: {source.filename} of {source.owner}, trained on {source.dataset}"
            f"{figure}; not the zoo's, scores are not those of the card of {self.model}"
        ]
        return "; ".join(filter(None, [*parts, self._told()]))

    def _told(self) -> str:
        """Which classes have no source, and which one that means something else."""
        if self.task == "drivable":
            return "it finds roads, with all their lanes; drivable lanes it does not know"
        return self.classes.told()

    def facts(self) -> dict[str, Any]:
        """What is written beside the results, JSON-able."""
        source = self.source
        return {
            "note": self.line(),
            "task": self.task,
            "model": self.model,
            "weights": source.filename,
            "urls": list(source.urls),
            "sha256 begins with": source.sha256,
            "owner": source.owner,
            "config": source.config,
            "trained on": source.dataset,
            "published metric": source.metric,
            "terms": list(source.terms),
            "settings of its own": list(source.options),
            "classes": {name: list(self._sources_of(name)) for name in self.names},
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes of the results are called (pose: the joints)."""
        return _ROAD if self.task == "drivable" else self.classes.target

    def _sources_of(self, name: str) -> tuple[str, ...]:
        if name == "background" and self.task == "drivable":
            return tuple(other for other in self.classes.source if other != _ROAD[0])
        own = "direct" if self.task == "drivable" else name
        return self.classes.names.get(own, ())

    # -- the parts of a run -------------------------------------------------------------------

    def config(self, cfg: Config) -> Config:
        """A copy of the model's config with the class layer and the test settings of the source."""
        own = copy.deepcopy(cfg)
        computed_as_there = self.foreign.options if self.foreign is not None else ()
        apply_options(own, parse_options([*self.source.options, *computed_as_there]))
        if self.foreign is not None and self.foreign.pipeline is not None:
            own.data.test.pipeline = _squashed(own.data.test.pipeline, self.foreign.pipeline)
        # Theirs resize and crop bytes, where ours have floats by now: their pixels are rounded.
        load = own.data.test.pipeline[0]
        if load.get("to_float32"):
            load["to_float32"] = False
        count = len(self.classes.source)
        if self.task == "pose":
            own.model.keypoint_head.out_channels = count
            own.data.test.dataset_info = _people(self.classes.source)
        elif self.task == "pan_seg":
            things = len(COCO)
            for node in _nodes(own.model):
                if "num_things_classes" in node:
                    node["num_things_classes"], node["num_stuff_classes"] = things, count - things
                elif "num_classes" in node:
                    node["num_classes"] = things
        else:
            for node in _nodes(own.model):
                if "num_classes" in node:
                    node["num_classes"] = count
        return own

    def named_by(self, meta: Mapping[str, Any]) -> ZeroShot:
        """With the classes of the source in the order that its file says, where it says one."""
        said = meta.get("CLASSES")
        if not isinstance(said, (list, tuple)) or not all(isinstance(name, str) for name in said):
            return self
        order = tuple(name.strip() for name in said)
        if sorted(order) != sorted(self.classes.source):
            return self
        return replace(self, classes=replace(self.classes, source=order))

    def forward(self, forward: Forward) -> Forward:
        """The network's results in the classes of the task."""
        rename = self._rename()
        return lambda batch: [rename(result) for result in forward(batch)]

    def converter(self, task: Task, cfg: Config, options: Any) -> Converter:
        """What writes the renamed results; ``cfg`` is the model's own."""
        if self.task == "drivable":
            from bdd100k_models.tasks.sem_seg import SemanticConverter

            folder = f"{_ROAD[0]}_masks" if options.masks else None
            return SemanticConverter(_ROAD[0], _ROAD, folder)
        if self.task == "pose":
            from bdd100k_models.tasks.pose import PoseConverter, Settings

            joints = [place for place, rows in enumerate(self.classes.rows) if rows]
            return PoseConverter(task.class_names(cfg), Settings.of(cfg), options, joints)
        return task.converter(cfg, options, self.classes.target)

    def _rename(self) -> Callable[[Any], Any]:
        rows = self.classes.rows
        if self.task == "det":
            return lambda boxes: _boxes(boxes, rows)
        if self.task == "ins_seg":
            return lambda found: replace(
                found,
                boxes=_boxes(found.boxes, rows),
                masks=[[mask for row in own for mask in found.masks[row]] for own in rows],
            )
        if self.task == "pose":
            return lambda found: replace(found, keypoints=_joints(found.keypoints, rows))
        if self.task == "tagging":
            return lambda scores: _scores(scores, rows)
        if self.task == "pan_seg":
            table = self._table(none=len(rows))
            return lambda found: _panoptic(found, table)
        table = self._table(none=_NO_CLASS)
        if self.task == "drivable":
            table = (table != 0).astype(np.uint8)
        return lambda found: table[found]

    def _table(self, none: int) -> np.ndarray:
        """(C + 1,) uint8: class of the source -> class of the task, ``none`` for all others.

        The last entry is that of pixels for which the source has no class.
        """
        table = np.full(len(self.classes.source) + 1, none, np.uint8)
        for own, rows in enumerate(self.classes.rows):
            table[list(rows)] = own
        return table


def _scores(scores: np.ndarray, rows: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """(K,) float32 of the task's classes from (C,) of the source; 0 for those without."""
    found = [scores[list(own)].sum() if own else 0.0 for own in rows]
    return np.array(found, dtype=np.float32)


def _squashed(steps: Any, own: tuple[Mapping[str, Any], ...]) -> list[Any]:
    """A test pipeline with ``own`` in the place of the steps that size and normalise."""
    rest = [step for step in steps if step["type"] not in ("Resize", "CenterCrop", "Normalize")]
    # Pillow resizes bytes.
    return [{**rest[0], "to_float32": False}, *(dict(step) for step in own), *rest[1:]]


def _nodes(cfg: Any) -> Iterator[Any]:
    """All mappings of a model config."""
    if isinstance(cfg, Mapping):
        yield cfg
        for value in cfg.values():
            yield from _nodes(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from _nodes(value)


class OtherWeights(ZeroShot):
    """A file of another code base, run as there, in the place of a model's own weights."""

    @classmethod
    def of_file(cls, task: Task, cfg: Config, path: Path, foreign: Foreign) -> OtherWeights | None:
        """None where classes and settings are the model's, so that there is nothing to rename.

        Raises:
            UserError: none of its classes is one of the model's.
        """
        own, names = task.class_names(cfg), foreign.classes
        same = names == own and not foreign.options and foreign.pipeline is None
        if names is None or same or task.name not in ("tagging", "det", "ins_seg", "sem_seg"):
            return None
        table = by_name(names, own, task.name)
        name = Path(cfg.filename).stem
        if not table.names:
            raise UserError(
                f"{path} has weights of {foreign.layout} for {', '.join(names[:8])}: none of them "
                f"is a class of {name}, which has {', '.join(own)}; take a model of their task"
            )
        source = PublicSource(
            urls=(path.name,), config=foreign.layout, dataset=foreign.dataset or "", fit="rows"
        )
        return cls(name, task.name, source, table, foreign)

    def line(self) -> str:
        trained = f", trained on {self.source.dataset}" if self.source.dataset else ""
        told = f"; {told}" if (told := self._told()) else ""
        return (
            f"{self.source.filename}: weights of {self.source.config}{trained}, run as there; "
            f"scores are not those of the card of {self.model}{told}"
        )

    def facts(self) -> dict[str, Any]:
        return {
            "note": self.line(),
            "task": self.task,
            "model": self.model,
            "weights": self.source.filename,
            "owner": self.source.config,
            "trained on": self.source.dataset or None,
            "settings of its own": list(self.foreign.options) if self.foreign is not None else [],
            "classes": {name: list(self._sources_of(name)) for name in self.names},
        }


def _boxes(per_class: Any, rows: tuple[tuple[int, ...], ...]) -> list[np.ndarray]:
    """For each class of the task (N, 5), x1 y1 x2 y2 score, from those of the source."""
    none = np.zeros((0, 5), np.float32)
    return [np.concatenate([none, *(per_class[row] for row in own)]) for own in rows]


def _joints(keypoints: np.ndarray, rows: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """(P, J, 3) of the source -> (P, K, 3) of the task; 0 0 with a score of 0 for those without."""
    found = np.zeros((len(keypoints), len(rows), 3), np.float32)
    for own, row in enumerate(rows):
        if row:
            found[:, own] = keypoints[:, row[0]]
    return found


def _panoptic(found: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(H, W) class index + 1000 * instance, in the classes of the task."""
    own = table[found % INSTANCE_OFFSET].astype(found.dtype)
    none = table[-1]
    return np.where(own == none, own, own + found - found % INSTANCE_OFFSET)


def _people(joints: tuple[str, ...]) -> dict[str, Any]:
    """What MMPose asks of a data set with these joints: which of them a mirror swaps."""

    def swapped(name: str) -> str:
        side, _, part = name.partition("_")
        return {"left": f"right_{part}", "right": f"left_{part}"}.get(side, "")

    return {
        "dataset_name": "source",
        "paper_info": {},
        "keypoint_info": {
            place: {
                "name": name,
                "id": place,
                "color": [0, 0, 0],
                "type": "",
                "swap": swapped(name),
            }
            for place, name in enumerate(joints)
        },
        "skeleton_info": {},
        "joint_weights": [1.0] * len(joints),
        "sigmas": [0.05] * len(joints),
    }
