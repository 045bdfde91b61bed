"""Ground truth and predictions side by side, as the official evaluators take them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.inputs import select_frames
from bdd100k_models.evaluation.locations import check_task_and_form
from bdd100k_models.evaluation.official import (
    official_frames,
    quiet,
    read_ground_truth,
    tagged_frames,
)
from bdd100k_models.evaluation.tagging import tagging_config
from bdd100k_models.evaluation.tracking import official_videos
from bdd100k_models.files import read_json
from bdd100k_models.frames.reading import read_frames
from bdd100k_models.zoo import tasks

if TYPE_CHECKING:
    from scalabel.label.typing import Config
    from scalabel.label.typing import Frame as ScalabelFrame

#: Attributes of a picture that it can be grouped by, and what they are called.
ATTRIBUTES: Mapping[str, str] = {
    "weather": "weather",
    "scene": "scene",
    "timeofday": "time of day",
}


@dataclass(frozen=True)
class Pair:
    """What is known of each unit: a picture, or a video for the tasks of tracking.

    Attributes:
        task: one of the tasks that are scored.
        names: of the units, P of them.
        truth: the frames of each unit; one for a picture.
        predicted: the same frames with predicted labels; empty where there are none.
        config: the evaluator's categories.
        tags: tagging alone: the attributes that are predicted.
        attributes: weather, scene and time of day of each unit, as far as they are known.
        notes: what is worth knowing and no mistake.
    """

    task: str
    names: tuple[str, ...]
    truth: tuple[tuple[ScalabelFrame, ...], ...]
    predicted: tuple[tuple[ScalabelFrame, ...], ...]
    config: Config
    tags: tuple[str, ...]
    attributes: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What the units are called."""
        return "videos" if tasks.facts(self.task).videos else "pictures"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the evaluator's classes, in its order."""
        from scalabel.label.utils import get_leaf_categories

        return tuple(category.name for category in get_leaf_categories(self.config.categories))

    def only(self, names: Collection[str]) -> Pair:
        """The same for some of the units."""
        kept = [index for index, name in enumerate(self.names) if name in names]
        if len(kept) == len(self.names):
            return self
        return replace(
            self,
            names=tuple(self.names[index] for index in kept),
            truth=tuple(self.truth[index] for index in kept),
            predicted=tuple(self.predicted[index] for index in kept),
            attributes=tuple(self.attributes[index] for index in kept),
        )

    def groups(self, attribute: str) -> dict[str, npt.NDArray[np.bool_]]:
        """Value of an attribute -> (P,) which units have it, the most frequent first.

        Units whose value is not known are the group ``unknown``, the last. Empty where none has a
        value.
        """
        values = [of.get(attribute) for of in self.attributes]
        counts = Counter(value for value in values if value is not None)
        ordered = sorted(counts, key=lambda value: (-counts[value], value))
        groups = {wanted: np.array([v == wanted for v in values]) for wanted in ordered}
        if groups and None in values:
            groups["unknown"] = np.array([v is None for v in values])
        return groups


def read_pair(
    task: str,
    ground_truth: str | Path,
    predictions: str | Path,
    *,
    tags_from: str | Path | None = None,
    predicted_only: bool = False,
) -> Pair:
    """Read, check and pair two files in JSON form.

    Args:
        task: one of the tasks that an official evaluator scores.
        ground_truth: Scalabel JSON; a folder of files for videos.
        predictions: the same.
        tags_from: a Scalabel file with weather, scene and time of day of the pictures, where the
            ground truth does not say them.
        predicted_only: leave out what the predictions do not have.

    Raises:
        UserError: what :func:`bdd100k_models.evaluation.evaluate` says of the same files; or
            predictions of pictures and of videos, or of another task, are mixed up.
    """
    check_task_and_form(task, "json")
    truth_path, predicted_path = Path(ground_truth), Path(predictions)
    for path, what in ((truth_path, "ground truth"), (predicted_path, "predictions")):
        if path.is_dir() and not any(path.glob("*.json")):
            raise UserError(
                f"no JSON file in {path} for the {what}; folders of PNGs hold too little"
            )
    with quiet():
        if tasks.facts(task).videos:
            return _pair_of_videos(task, truth_path, predicted_path, predicted_only)
        _refuse_videos(task, predicted_path)
        true_frames = read_ground_truth(task, truth_path)
        predicted_frames = read_frames(predicted_path, "predictions")
        names = {frame["name"] for frame in predicted_frames} if predicted_only else None
        true_frames, predicted_frames = select_frames(true_frames, predicted_frames, names)
        tags: list[str] = []
        config: Config
        if task == "tagging":
            from bdd100k_models.evaluation.scalabel_frames import to_scalabel

            tags, kept = tagged_frames(true_frames, predicted_frames)
            truth = to_scalabel(kept, "ground truth")
            predicted = to_scalabel(predicted_frames, "predictions")
            config, notes = tagging_config(tags), []
        else:
            official = official_frames(task, true_frames, predicted_frames)
            truth, predicted = official.truth, official.predicted
            config, notes = official.config.scalabel, official.notes
    truth = sorted(truth, key=lambda frame: frame.name)
    by_name = {frame.name: frame for frame in predicted}
    wanted = [frame.name for frame in truth]
    known = {frame["name"]: frame.get("attributes") or {} for frame in true_frames}
    return Pair(
        task,
        tuple(wanted),
        tuple((frame,) for frame in truth),
        tuple(
            (by_name.get(name) or _empty(frame),) for name, frame in zip(wanted, truth, strict=True)
        ),
        config,
        tuple(tags),
        _attributes(wanted, known, tags_from),
        _notes(notes, len(wanted), sum(name in by_name for name in wanted)),
    )


def _pair_of_videos(task: str, truth: Path, predicted: Path, predicted_only: bool) -> Pair:
    videos = official_videos(task, truth, predicted, predicted_only=predicted_only)
    return Pair(
        task,
        tuple(str(frames[0].videoName) for frames in videos.truth),
        tuple(map(tuple, videos.truth)),
        tuple(map(tuple, videos.predicted)),
        videos.config.scalabel,
        (),
        _attributes(
            [str(frames[0].videoName) for frames in videos.truth],
            {str(frames[0].videoName): frames[0].attributes or {} for frames in videos.truth},
            None,
        ),
        _notes(videos.notes, sum(map(len, videos.truth)), videos.present),
    )


def _notes(notes: Sequence[str], frames: int, predicted: int) -> tuple[str, ...]:
    if predicted == frames:
        return tuple(notes)
    lacking = f"{frames - predicted} of {frames} frames have no predictions and count as empty"
    return (*notes, lacking)


def _refuse_videos(task: str, path: Path) -> None:
    """Frames of videos have the names of several pictures each; say so before they clash."""
    content = read_json(path, "predictions") if path.is_file() else None
    frames = content.get("frames") if isinstance(content, dict) else content
    first = frames[0] if isinstance(frames, list) and frames else None
    if isinstance(first, dict) and first.get("videoName"):
        raise UserError(
            f"predictions {path} are frames of videos, {task} is a task of pictures; "
            "mot and mots are those of videos"
        )


def _empty(frame: ScalabelFrame) -> ScalabelFrame:
    from scalabel.label.typing import Frame as ScalabelFrame

    return ScalabelFrame(name=frame.name, labels=[])


def _attributes(
    names: Sequence[str], known: Mapping[str, Mapping[str, Any]], further: str | Path | None
) -> tuple[Mapping[str, str], ...]:
    """Attributes of each name: its frame's own, else those of the same name in ``further``."""
    others: dict[str, Mapping[str, Any]] = {}
    if further is not None and not any(key in own for own in known.values() for key in ATTRIBUTES):
        others = {
            frame["name"]: frame.get("attributes") or {}
            for frame in read_frames(Path(further), "labels")
        }
    found = []
    for name in names:
        merged = {**others.get(name, {}), **known.get(name, {})}
        found.append({key: str(merged[key]) for key in ATTRIBUTES if merged.get(key) is not None})
    return tuple(found)
