"""What an evaluator found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from bdd100k_models.files import write_bytes

if TYPE_CHECKING:
    from scalabel.eval.result import Result

#: How many dicts at the end of an official score list are conclusions, not classes: panoptic
#: scores end in STUFF/THING and OVERALL, tagging scores in one per attribute and AVERAGE, tracking
#: scores in groups of classes and means.
_CONCLUSIONS = {"pan_seg": 2, "tagging": 2, "mot": 2, "mots": 2}

_COCO = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
_MAPS = ("mIoU", "mAcc", "fIoU", "pAcc")
_METRICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tagging": ("accuracy", "precision", "recall", "f1_score"),
        "det": _COCO,
        "ins_seg": _COCO,
        "sem_seg": _MAPS,
        "drivable": _MAPS,
        "pan_seg": ("PQ", "SQ", "RQ"),
        "pose": ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl"),
    }
)


def metric_names(task: str, classes: Sequence[str] = ()) -> tuple[str, ...]:
    """Keys of the official summary of a task that say how good predictions are, as a whole first.

    ``classes``: of the task; box and instance scores have the AP of each.
    """
    names = _METRICS.get(task, ())
    return (*names, *(f"AP/{name}" for name in classes)) if names is _COCO else names


@dataclass(frozen=True)
class Scores:
    """Scores of one set of predictions, all in percent but for counts.

    ``result`` is the official result object; everything here is read from it.
    """

    task: str
    #: Number of images that were scored.
    images: int
    result: Result
    #: How many of them the predictions have; the others count as empty.
    predicted: int
    #: What is worth knowing and no mistake, a line each.
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[str, float]:
        """Official summary, ``{"AP": 31.2, "AP50": …}``; NaN where there was nothing to score."""
        return {name: float(score) for name, score in self.result.summary().items()}

    @property
    def per_class(self) -> dict[str, dict[str, float]]:
        """Metric -> class -> score; a metric that is not per class is missing."""
        conclusions = _CONCLUSIONS.get(self.task, 1)
        classes: dict[str, dict[str, float]] = {}
        for metric, score_dicts in dict(self.result).items():
            if not isinstance(score_dicts, list):
                continue
            by_class = {
                name: float(score)
                for scores in score_dicts[:-conclusions]
                for name, score in scores.items()
            }
            if by_class:
                classes[metric] = by_class
        return classes

    def table(self) -> str:
        """The official table without the blank lines around it, then coverage and notes."""
        lines = [str(self.result.table()).strip("\n"), self.coverage()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def coverage(self) -> str:
        """How many of the images the predictions have, in words."""
        if self.predicted == self.images:
            return f"{self.task}: {self.images} images scored"
        return (
            f"{self.task}: {self.images} images scored, {self.predicted} of them predicted; "
            f"{self.images - self.predicted} count as empty"
        )

    def as_dict(self) -> dict[str, Any]:
        """What the official ``--out-file`` holds, with None in the place of NaN."""
        return {metric: _plain(value) for metric, value in dict(self.result).items()}

    def save(self, path: str | Path) -> Path:
        """Write :meth:`as_dict` as strict JSON; the file appears whole or not at all."""
        return write_bytes(path, orjson.dumps(self.as_dict(), option=orjson.OPT_INDENT_2))


def _plain(value: Any) -> Any:
    """Lists, dicts and numbers of numpy or Python as JSON has them; NaN and infinity are None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
