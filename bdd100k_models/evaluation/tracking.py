"""Scores of tracking: MOTA, IDF1, switches of identity, of boxes or of masks.

``python -m bdd100k.eval.run -t box_track`` and ``-t seg_track`` call the same functions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.predictions import RULES, check_predictions, require_categories
from bdd100k_models.evaluation.scalabel_frames import taken_names, to_scalabel
from bdd100k_models.evaluation.scores import Scores
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels
from bdd100k_models.frames.videos import check_identities, flat, picture_path, read_videos
from bdd100k_models.zoo import tasks

if TYPE_CHECKING:
    from bdd100k.common.typing import BDD100KConfig
    from scalabel.eval.mot import TrackResult
    from scalabel.label.typing import Frame as ScalabelFrame

Videos = dict[str, list[Frame]]


def read_true_videos(task: str, path: Path) -> Videos:
    """The ground truth, checked as far as the evaluator relies on it.

    Raises:
        UserError: see :func:`~bdd100k_models.frames.videos.read_videos`; or a label that is not
            whole or that the evaluator cannot place.
    """
    from bdd100k.common.utils import load_bdd100k_config

    videos = read_videos(path, "ground truth")
    frames = flat(videos)
    check_labels(frames, "ground truth")
    config = load_bdd100k_config(tasks.facts(task).toolkit)
    require_categories(frames, taken_names(config), "ground truth", task)
    check_identities(frames, f"ground truth {path}", numbers=False)
    return videos


@dataclass(frozen=True)
class OfficialVideos:
    """Ground truth and predictions of videos as the official evaluators take them.

    Attributes:
        truth: frames of each video.
        predicted: the same frames with the predicted labels.
        config: the evaluator's.
        present: number of frames that the predictions have; the others are empty.
        notes: what is worth knowing and no mistake.
    """

    truth: list[list[ScalabelFrame]]
    predicted: list[list[ScalabelFrame]]
    config: BDD100KConfig
    present: int
    notes: list[str]


def official_videos(
    task: str,
    ground_truth: Path,
    predictions: Path,
    names: Collection[str] | None = None,
    predicted_only: bool = False,
) -> OfficialVideos:
    """Read, check and pair the videos of ``mot`` or ``mots``; arguments of `evaluate_tracks`.

    Raises:
        UserError: see :func:`evaluate_tracks`.
    """
    from bdd100k.common.utils import load_bdd100k_config
    from bdd100k.label.to_scalabel import bdd100k_to_scalabel
    from scalabel.label.io import group_and_sort

    config = load_bdd100k_config(tasks.facts(task).toolkit)
    truth = read_true_videos(task, ground_truth)
    predicted = read_videos(predictions, "predictions")
    notes = check_predictions(task, flat(predicted), taken_names(config))
    found = _by_place(predicted)
    _check_places(found, truth)
    if names is not None:
        wanted = set(names)
        truth = {
            video: kept
            for video, frames in truth.items()
            if (kept := [frame for frame in frames if picture_path(frame) in wanted])
        }
    if predicted_only:
        truth = {
            video: kept
            for video, frames in truth.items()
            if (kept := [f for f in frames if (video, f["frameIndex"]) in found])
        }
    if not truth:
        raise UserError("none of the frames to score is in the ground truth")
    scored: Videos = {}
    present = 0
    for video, frames in truth.items():
        scored[video] = []
        for frame in frames:
            own = found.get((video, frame["frameIndex"]))
            present += own is not None
            labels = own.get("labels") if own is not None else None
            scored[video].append({**_place_of(frame), "labels": labels or []})
    geometry = RULES[task].geometry
    without = sum(
        label.get(geometry) is None for f in flat(truth) for label in f.get("labels") or ()
    )
    if without:
        notes.append(f"{without} labels of the ground truth have no {geometry} and do not count")
    if not any(frame["labels"] for frame in flat(scored)):
        notes.append("the predictions have no labels at all")
    true_frames = bdd100k_to_scalabel(to_scalabel(flat(truth), "ground truth"), config)
    absent = set(tasks.facts(task).classes).difference(
        label.category for frame in true_frames for label in frame.labels or ()
    )
    if absent:
        notes.append(
            f"the ground truth has no {', '.join(sorted(absent))}: the official means count what "
            "is absent as 0"
        )
    predicted_frames = bdd100k_to_scalabel(to_scalabel(flat(scored), "predictions"), config)
    return OfficialVideos(
        group_and_sort(true_frames), group_and_sort(predicted_frames), config, present, notes
    )


def evaluate_tracks(
    task: str,
    ground_truth: Path,
    predictions: Path,
    names: Collection[str] | None,
    predicted_only: bool,
    nproc: int,
) -> Scores:
    """The official scores of ``mot`` or ``mots``.

    ``names`` are frames to score, as ``VIDEO/NAME``; all by default. A frame that the predictions
    lack counts as empty.

    Raises:
        UserError: see :func:`read_true_videos`, `check_predictions` and `check_identities`; a
            frame that the ground truth does not have, or has under another ``frameIndex``; or no
            frame left.
    """
    videos = official_videos(task, ground_truth, predictions, names, predicted_only)
    result = _official(task, videos, nproc)
    frames = sum(map(len, videos.truth))
    return Scores(task, frames, result, videos.present, tuple(videos.notes))


def _official(task: str, videos: OfficialVideos, nproc: int) -> TrackResult:
    from scalabel.eval.mot import acc_single_video_mot, evaluate_track
    from scalabel.eval.mots import acc_single_video_mots, evaluate_seg_track

    scorers = {
        "mot": partial(evaluate_track, acc_single_video_mot),
        "mots": partial(evaluate_seg_track, acc_single_video_mots),
    }
    result: TrackResult = scorers[task](
        videos.truth, videos.predicted, config=videos.config.scalabel, nproc=nproc
    )
    return result


def _by_place(videos: Videos) -> dict[tuple[str, int], Frame]:
    return {
        (video, frame["frameIndex"]): frame for video, frames in videos.items() for frame in frames
    }


def _place_of(frame: Frame) -> Frame:
    return {key: frame[key] for key in ("name", "videoName", "frameIndex")}


def _check_places(found: dict[tuple[str, int], Frame], truth: Videos) -> None:
    """Predicted frames are frames of the ground truth."""
    known = _by_place(truth)
    unknown = [place for place in found if place not in known]
    if unknown:
        video, index = unknown[0]
        what = f"frame {index} of video {video!r}" if video in truth else f"video {video!r}"
        raise UserError(
            f"{len(unknown)} of {len(found)} predicted frames are not in the ground truth, which "
            f"has no {what}; is this the right split?"
        )
    for place, frame in found.items():
        if known[place]["name"] != frame["name"]:
            raise UserError(
                f"frame {place[1]} of video {place[0]!r} is {frame['name']!r} in the predictions "
                f"and {known[place]['name']!r} in the ground truth; frameIndex counts from 0"
            )
