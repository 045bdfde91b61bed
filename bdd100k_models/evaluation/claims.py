"""Whether scores and predictions bear out the metrics that the catalogue tells of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.locations import form_of, ground_truth_path, score_file_beside
from bdd100k_models.evaluation.official import evaluate
from bdd100k_models.evaluation.scores import Scores, metric_names
from bdd100k_models.files import read_json

if TYPE_CHECKING:
    from bdd100k_models.zoo.catalogue import PublishedModel

_TRACKS = ("mMOTA", "mMOTP", "mIDF1", "MOTA", "MOTP", "IDF1", "FP", "FN", "IDSw", "MT", "PT", "ML")
#: Column of a table without its split -> key of the official summary of the task.
_KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tagging": {"Acc": "accuracy"},
        "det": {"Box AP": "AP"},
        "ins_seg": {"Mask AP": "AP"},
        "sem_seg": {"mIoU": "mIoU"},
        "drivable": {"mIoU": "mIoU"},
        "pan_seg": {"PQ": "PQ"},
        "pose": {"Pose AP": "AP"},
        "mot": {"mMOTA": "mMOTA", "mIDF1": "mIDF1", "ID Sw.": "IDSw"},
        "mots": {"mMOTSA": "mMOTA", "mIDF1": "mIDF1", "ID Sw.": "IDSw"},
    }
)


@dataclass(frozen=True)
class Claim:
    """A metric of the catalogue and what was found for it.

    Attributes:
        column: of the table, such as ``Box AP-val``.
        told: as the table has it.
        found: percent, or a count; NaN where there was nothing to score.
    """

    column: str
    told: str
    found: float

    @property
    def holds(self) -> bool:
        """Whether what was found, rounded to the digits of the table, is what is told."""
        digits = len(self.told.partition(".")[2])
        return abs(self.found - float(self.told)) <= 0.5 * 10**-digits + 1e-9

    def line(self) -> str:
        """For people."""
        digits = len(self.told.partition(".")[2])
        return f"{self.column}: {self.told} is told, {self.found:.{digits}f} found"


def claims(model: PublishedModel, summary: Mapping[str, float], split: str = "val") -> list[Claim]:
    """The metrics of a model on a split, beside those of an official summary."""
    keys = {f"{column}-{split}": key for column, key in _KEYS[model.task].items()}
    return [
        Claim(column, model.columns[column], float(summary[key]))
        for column, key in keys.items()
        if column in model.columns and key in summary
    ]


def read_summary(task: str, path: Path) -> dict[str, float]:
    """The summary of a scores file, as the official ``--out-file`` and ``test.py`` write it.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    content = read_json(path, "scores")
    if not isinstance(content, dict):
        raise UserError(f"scores {path}: expected metrics with their scores, found a list")
    segmentation = task in ("sem_seg", "drivable")
    summary = {}
    for metric, value in content.items():
        listed = isinstance(value, list) and value and isinstance(value[-1], dict)
        if listed:
            last = value[-1]
            value = last.get("OVERALL", last.get("AVERAGE"))
        if value is not None and not isinstance(value, (int, float)):
            raise UserError(f"scores {path}: {metric} is no score: {str(value)[:60]}")
        # What segmentation scores are lists of, their summary calls by the mean.
        name = f"m{metric}" if listed and segmentation else metric
        summary[name] = math.nan if value is None else float(value)
    return summary


def scores_problems(model: PublishedModel, path: Path, split: str = "val") -> list[str]:
    """What is wrong with the scores file of a model: all metrics, those of the table, agreeing."""
    try:
        summary = read_summary(model.task, path)
    except UserError as error:
        return [f"Scores: {error}"]
    wanted = metric_names(model.task) or _TRACKS
    missing = [name for name in wanted if name not in summary]
    if missing:
        return [f"Scores: {path} lacks {', '.join(missing)} of {model.task}"]
    return [f"Scores: {claim.line()}" for claim in claims(model, summary, split) if not claim.holds]


@dataclass(frozen=True)
class Verdict:
    """What predictions of a model score, beside what is told of them.

    Attributes:
        scores: by the official evaluator.
        claims: each metric that the evaluator finds.
        problems: a line for each that does not hold, and for pictures that are missing.
    """

    scores: Scores
    claims: tuple[Claim, ...]
    problems: tuple[str, ...]


def verify(
    model: PublishedModel,
    predictions: Path,
    data_root: Path,
    *,
    nproc: int = 1,
    progress: bool = False,
) -> Verdict:
    """Score the predictions of a model on the validation set against what is told of it.

    Args:
        model: whose metrics are told.
        predictions: Scalabel JSON, or a folder of PNGs.
        data_root: the folder with ``labels/``.
        nproc: number of processes.
        progress: show the official progress bars.

    Raises:
        UserError: see :func:`~bdd100k_models.evaluation.evaluate`; or the table has no metric
            that the evaluator finds.
    """
    form = form_of(predictions)
    scores = evaluate(
        model.task,
        ground_truth_path(model.task, data_root, "val", form),
        predictions,
        form=form,
        score_file=score_file_beside(predictions),
        nproc=nproc,
        progress=progress,
    )
    found = claims(model, scores.summary)
    if not found:
        columns = ", ".join(f"{column}-val" for column in _KEYS[model.task])
        raise UserError(f"{model.name} has none of the metrics {columns} to verify")
    problems = [f"Predictions: {claim.line()}" for claim in found if not claim.holds]
    if scores.predicted != scores.images:
        problems.append(
            f"Predictions: {scores.predicted} of the {scores.images} pictures of the validation "
            "set are predicted"
        )
    return Verdict(scores, tuple(found), tuple(problems))
