"""Tracks followed through their videos: where identities change and tracks break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.analysis.pairs import Pair
from bdd100k_models.analysis.statistics import TrackStatistic
from bdd100k_models.evaluation.official import quiet

if TYPE_CHECKING:
    from scalabel.label.typing import Frame as ScalabelFrame


@dataclass(frozen=True)
class TrackEvent:
    """An identity that changes, or a track that is lost and found again.

    Attributes:
        kind: ``switch`` or ``fragment``.
        video: index of the video.
        frame: its place among the frames of the video, from 0: where the object has a new
            identity, or is found again.
        category: index of the class.
        object: the true identity.
    """

    kind: str
    video: int
    frame: int
    category: int
    object: str


@dataclass(frozen=True)
class TrackLife:
    """What became of one true object.

    Attributes:
        video: index of the video.
        category: index of the class.
        object: the true identity.
        frames: in how many it is.
        found: in how many it was found.
        switches: changes of its predicted identity.
        fragments: how often it was lost and found again.
    """

    video: int
    category: int
    object: str
    frames: int
    found: int
    switches: int
    fragments: int


@dataclass(frozen=True)
class Followed:
    """All tracks of all videos."""

    statistic: TrackStatistic
    lives: tuple[TrackLife, ...]
    events: tuple[TrackEvent, ...]


def follow(pair: Pair) -> Followed:
    """Follow the true objects as the official evaluator does."""
    import motmetrics
    from scalabel.eval.mot import acc_single_video_mot
    from scalabel.eval.mots import acc_single_video_mots
    from scalabel.label.utils import get_leaf_categories

    accumulate: Any
    if pair.task == "mot":
        accumulate = partial(acc_single_video_mot, classes=list(pair.classes))
    else:
        accumulate = partial(
            acc_single_video_mots,
            classes=get_leaf_categories(pair.config.categories),
            image_size=pair.config.imageSize,
        )
    handler = motmetrics.metrics.create()
    names = [
        "num_objects",
        "num_misses",
        "num_false_positives",
        "num_switches",
        "num_fragmentations",
        "idtp",
        "num_predictions",
    ]
    counts = np.zeros((len(pair.names), len(pair.classes), len(names)), dtype=np.int64)
    lives: list[TrackLife] = []
    events: list[TrackEvent] = []
    for video, (truth, predicted) in enumerate(zip(pair.truth, pair.predicted, strict=True)):
        names_of = [[str(label.id) for label in frame.labels or ()] for frame in truth]
        with quiet():
            accumulators = accumulate(list(truth), list(predicted))
        objects = _objects(truth, names_of, pair.classes, pair.task)
        for category, accumulator in enumerate(accumulators):
            if not len(accumulator.mot_events):
                continue
            found = handler.compute(accumulator, metrics=names, return_dataframe=False)
            counts[video, category] = [int(found[name]) for name in names]
            own, happened = _lives(accumulator.mot_events, video, category, objects)
            lives += own
            events += happened
    return Followed(TrackStatistic(counts, pair.classes), tuple(lives), tuple(events))


def _objects(
    truth: Sequence[ScalabelFrame],
    names: Sequence[Sequence[str]],
    classes: Sequence[str],
    task: str,
) -> dict[tuple[int, int], tuple[str, list[int]]]:
    """Class and number of each true object -> its identity, and the frames that it is in.

    The evaluator has numbered the identities; ``names`` are those that the labels had before. Its
    log counts the frames in which a class is anywhere, and so does not say which they are.
    """
    from scalabel.label.utils import check_crowd, check_ignored

    found: dict[tuple[int, int], tuple[str, list[int]]] = {}
    for index, (frame, own) in enumerate(zip(truth, names, strict=True)):
        for label, name in zip(frame.labels or (), own, strict=True):
            geometry = label.box2d if task == "mot" else (label.rle or label.poly2d)
            if geometry is None or check_crowd(label) or check_ignored(label):
                continue
            key = (classes.index(str(label.category)), int(label.id))
            found.setdefault(key, (name, []))[1].append(index)
    return found


def _lives(
    log: Any, video: int, category: int, objects: dict[tuple[int, int], tuple[str, list[int]]]
) -> tuple[list[TrackLife], list[TrackEvent]]:
    """The fate of each true object of a class in the log of motmetrics."""
    seen: dict[int, list[str]] = {}
    for kind, number in zip(log["Type"], log["OId"], strict=True):
        if kind in ("MATCH", "SWITCH", "MISS"):
            seen.setdefault(int(number), []).append(str(kind))
    lives, events = [], []
    for number, kinds_seen in seen.items():
        identity, frames = objects[category, number]
        states = list(zip(frames, kinds_seen, strict=True))
        kinds = [kind for _, kind in states]
        switches = [frame for frame, kind in states if kind == "SWITCH"]
        again = _found_again(states)
        lives.append(
            TrackLife(
                video,
                category,
                identity,
                len(states),
                sum(kind != "MISS" for kind in kinds),
                len(switches),
                len(again),
            )
        )
        events += [TrackEvent("switch", video, frame, category, identity) for frame in switches]
        events += [TrackEvent("fragment", video, frame, category, identity) for frame in again]
    return lives, events


def _found_again(states: list[tuple[int, str]]) -> list[int]:
    """Frames in which an object is found after it was lost; being missed at first is no loss."""
    frames = []
    found = lost = False
    for frame, kind in states:
        if kind == "MISS":
            lost = found
        else:
            if lost:
                frames.append(frame)
            found, lost = True, False
    return frames
