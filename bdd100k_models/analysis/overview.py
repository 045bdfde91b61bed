"""One analysis of one set of predictions: what is worth knowing of its task, as tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bdd100k_models.analysis.boundaries import measure_boundaries
from bdd100k_models.analysis.calibration import BINS, calibrate
from bdd100k_models.analysis.errors import KINDS, Error, Errors, find_errors
from bdd100k_models.analysis.joints import KINDS as JOINT_KINDS
from bdd100k_models.analysis.joints import measure_joints
from bdd100k_models.analysis.pairs import ATTRIBUTES, Pair, read_pair
from bdd100k_models.analysis.precision import Array
from bdd100k_models.analysis.statistics import (
    MapStatistic,
    PanopticStatistic,
    PrecisionStatistic,
    Statistic,
    TagStatistic,
    TrackStatistic,
    gather,
)
from bdd100k_models.analysis.tables import Cell, Table, format_cell, table
from bdd100k_models.analysis.tracks import Followed, follow
from bdd100k_models.zoo.classes import POSE_KEYPOINTS

#: Rows of tables that list the worst.
SHOWN = 10
#: COCO's ranges of sizes: names and least areas, pixels.
_SIZES = (("small", 0.0), ("medium", 32.0**2), ("large", 96.0**2))


@dataclass(frozen=True)
class Analysis:
    """Why a score is what it is.

    Attributes:
        task: that was analysed.
        units: number of pictures, or of videos.
        unit: what they are called.
        scores: the official ones.
        tables: in the order to read them.
        notes: what is worth knowing and no mistake.
    """

    task: str
    units: int
    unit: str
    scores: Mapping[str, float]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """What a terminal shows."""
        scores = ", ".join(f"{name} {format_cell(value)}" for name, value in self.scores.items())
        blocks = [f"{self.task}: {self.units} {self.unit}: {scores}"]
        blocks += [own.text() for own in self.tables if not own.wide]
        blocks += [f"note: {note}" for note in self.notes]
        return "\n\n".join(blocks)

    def as_json(self) -> dict[str, Any]:
        """All tables by their keys, and the scores."""
        return {
            "task": self.task,
            self.unit: self.units,
            "scores": {k: v if math.isfinite(v) else None for k, v in self.scores.items()},
            "tables": {own.key: own.as_json() for own in self.tables},
            "notes": list(self.notes),
        }


def analyze(
    task: str,
    ground_truth: str | Path,
    predictions: str | Path,
    *,
    tags_from: str | Path | None = None,
    predicted_only: bool = False,
) -> Analysis:
    """Analyse the predictions of a task.

    Arguments and errors are those of :func:`~bdd100k_models.analysis.pairs.read_pair`.
    """
    pair = read_pair(
        task, ground_truth, predictions, tags_from=tags_from, predicted_only=predicted_only
    )
    followed = follow(pair) if task in ("mot", "mots") else None
    statistic = followed.statistic if followed is not None else gather(pair)
    weights = np.ones(len(pair.names))
    tables: list[Table] = []
    if isinstance(statistic, PrecisionStatistic):
        tables += _tables_of_objects(pair, statistic)
    elif isinstance(statistic, MapStatistic):
        tables += _tables_of_maps(pair, statistic, weights)
    elif isinstance(statistic, PanopticStatistic):
        tables.append(_segments(statistic))
    elif isinstance(statistic, TagStatistic):
        tables += [_confused_tags(statistic, tag, weights) for tag in statistic.values]
    elif isinstance(statistic, TrackStatistic) and followed is not None:
        tables += _tables_of_tracks(pair, followed)
    tables += _scores_by_attribute(pair, statistic)
    tables.append(_worst(pair, statistic))
    return Analysis(
        task,
        len(pair.names),
        pair.unit,
        statistic.scores(weights),
        tuple(own for own in tables if own.rows),
        pair.notes,
    )


# -- every task -----------------------------------------------------------------------------------


def _scores_by_attribute(pair: Pair, statistic: Statistic) -> list[Table]:
    """Official scores of the pictures of each weather, scene and time of day."""
    tables = []
    for attribute, title in ATTRIBUTES.items():
        rows: list[list[Cell]] = []
        names: list[str] = []
        for value, own in pair.groups(attribute).items():
            scores = statistic.scores(own.astype(np.float64))
            names = list(scores)
            rows.append([value, int(own.sum()), *scores.values()])
        tables.append(
            table(f"scores_by_{attribute}", f"Scores by {title}", [title, pair.unit, *names], rows)
        )
    return tables


def _worst(pair: Pair, statistic: Statistic) -> Table:
    """The pictures whose own score is lowest."""
    scores = statistic.of_each(len(pair.names))
    known = np.flatnonzero(scores < 100)  # which NaN, nothing to score, is not
    worst = known[np.argsort(scores[known], kind="stable")][:SHOWN]
    attributes = [name for name in ATTRIBUTES if any(name in of for of in pair.attributes)]
    return table(
        "worst",
        f"Lowest {statistic.main} of single {pair.unit}",
        [pair.unit[:-1], statistic.main, *(ATTRIBUTES[name] for name in attributes)],
        [
            [
                pair.names[index],
                float(scores[index]),
                *(pair.attributes[index].get(name) for name in attributes),
            ]
            for index in worst.tolist()
        ],
    )


# -- boxes, masks, poses --------------------------------------------------------------------------


def _tables_of_objects(pair: Pair, statistic: PrecisionStatistic) -> list[Table]:
    tables = []
    if pair.task == "pose":
        tables.append(_joints(pair, statistic))
    else:
        errors = find_errors(
            pair.classes,
            statistic.matches.truth,
            statistic.matches.predicted,
            "bbox" if pair.task == "det" else "segmentation",
        )
        tables += [_kinds(errors), *_errors_by_size(errors), _errors_by_class(errors, statistic)]
        tables.append(_confused_classes(errors))
        tables += _errors_by_attribute(pair, errors)
    calibration = calibrate(statistic.matches.all)
    at = "similarity" if pair.task == "pose" else "IoU"
    tables.append(
        table(
            "calibration",
            "Calibration",
            ["score", "predictions", "mean score", "precision"],
            [
                [
                    f"{index / BINS:.1f}–{(index + 1) / BINS:.1f}",
                    int(calibration.counts[index]),
                    100 * float(calibration.scores[index]),
                    100 * float(calibration.precisions[index]),
                ]
                for index in range(BINS)
                if calibration.counts[index]
            ],
            f"in %, precision at {at} 0.5; expected calibration error "
            f"{format_cell(100 * calibration.expected_error)}",
        )
    )
    return tables


def _kinds(errors: Errors) -> Table:
    rows: list[list[Cell]] = [
        [kind, errors.count(kind), errors.cost(kind), meaning] for kind, meaning in KINDS.items()
    ]
    wrong = sum(errors.count(kind) for kind in KINDS if kind != "missed")
    not_found = int(errors.positives.sum()) - len(errors.hits)
    rows += [
        ["false alarms", wrong, errors.cost_of_false_alarms(), "all wrong predictions"],
        ["not found", not_found, errors.cost_of_not_found(), "all objects without a prediction"],
    ]
    return table(
        "errors",
        "Errors",
        ["error", "number", "costs AP", "what it is"],
        rows,
        f"AP at IoU 0.5 is {format_cell(errors.present_ap)}, and would be higher by «costs AP» "
        "without the errors of a kind",
        decimals=2,
    )


def _of_size(least: float, most: float) -> Callable[[Error], bool]:
    return lambda error: least <= error.area < most


def _errors_by_size(errors: Errors) -> list[Table]:
    """Errors of each kind by the size of the prediction, or of the object that is missed."""
    bounds = [least for _, least in _SIZES] + [math.inf]
    rows: list[list[Cell]] = []
    for kind in KINDS:
        row: list[Cell] = [kind]
        for least, most in pairwise(bounds):
            own = _of_size(least, most)
            row.append(sum(e.kind == kind and e.counted and own(e) for e in errors.errors))
            row.append(errors.cost(kind, own))
        rows.append(row)
    columns = ["error"]
    for name, _ in _SIZES:
        columns += [name, f"{name} costs AP"]
    note = "small: an area below 32², large: from 96² pixels on"
    return [table("errors_by_size", "Errors by size", columns, rows, note, decimals=2)]


def _errors_by_class(errors: Errors, statistic: PrecisionStatistic) -> Table:
    average = statistic.per_class(np.ones(len(errors.positives)))
    positives = errors.positives.sum(axis=0)
    counts = np.zeros((len(errors.classes), len(KINDS)), dtype=np.int64)
    kinds = list(KINDS)
    for error in errors.errors:
        counts[error.category, kinds.index(error.kind)] += error.counted
    return table(
        "errors_by_class",
        "Errors by class",
        ["category", "AP", "objects", *kinds],
        [
            [name, average[name], int(positives[index]), *counts[index].tolist()]
            for index, name in enumerate(errors.classes)
        ],
        "of the prediction; missed: of the object",
    )


def _confused_classes(errors: Errors) -> Table:
    counts: dict[tuple[int, int], int] = {}
    for error in errors.errors:
        if error.kind == "class" and error.counted and error.true_category is not None:
            key = (error.true_category, error.category)
            counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return table(
        "confused_classes",
        "Classes taken for others",
        ["true", "predicted", "predictions"],
        [
            [errors.classes[true], errors.classes[predicted], count]
            for (true, predicted), count in ordered
        ],
    )


def _errors_by_attribute(pair: Pair, errors: Errors) -> list[Table]:
    tables = []
    for attribute, title in ATTRIBUTES.items():
        rows: list[list[Cell]] = []
        for value, own in pair.groups(attribute).items():
            part = errors.of_pictures(own)
            rows.append([value, part.present_ap, *(part.cost(kind) for kind in KINDS)])
        tables.append(
            table(
                f"errors_by_{attribute}",
                f"What errors cost by {title}",
                [title, "AP50", *KINDS],
                rows,
                "AP at IoU 0.5 among these pictures, and what each kind of error costs there",
            )
        )
    return tables


def _joints(pair: Pair, statistic: PrecisionStatistic) -> Table:
    sigmas = pair.config.poseSigmas
    assert sigmas is not None  # of the toolkit's configuration of poses
    errors = measure_joints(statistic.matches, sigmas)
    rows: list[list[Cell]] = []
    everything = np.ones(len(errors.joint), dtype=np.bool_)
    for name, own in [
        *((name, errors.joint == index) for index, name in enumerate(POSE_KEYPOINTS)),
        ("all", everything),
    ]:
        if not own.any():
            continue
        rows.append(
            [
                name,
                int(own.sum()),
                float(np.median(errors.distance[own])),
                float(errors.distance[own].mean()),
                100 * float(errors.relative[own].mean()),
                *(100 * float((errors.kind[own] == kind).mean()) for kind in JOINT_KINDS),
            ]
        )
    meanings = "; ".join(f"{kind}: {meaning}" for kind, meaning in JOINT_KINDS.items())
    return table(
        "joints",
        "Joints of the people that were found",
        ["joint", "number", "median px", "mean px", "mean % of size", *JOINT_KINDS],
        rows,
        f"size: root of the area of the person's box; shares in %; {meanings}",
    )


# -- maps, segments, tags -------------------------------------------------------------------------


def _tables_of_maps(pair: Pair, statistic: MapStatistic, weights: Array) -> list[Table]:
    boundaries = measure_boundaries(pair)
    pixels = statistic.pixels(weights)
    rows_of = pixels[:-1].sum(axis=1)
    iou = statistic.per_class(weights)
    by_class = table(
        "classes",
        "Classes and their borders",
        ["class", "IoU", "boundary IoU", "% of true pixels", "% found"],
        [
            [
                name,
                iou[name],
                float(boundaries.iou[index]),
                100 * float(rows_of[index] / rows_of.sum()),
                100 * float(pixels[index, index] / rows_of[index]) if rows_of[index] else None,
            ]
            for index, name in enumerate(pair.classes)
        ],
        "boundary IoU: of strips along the borders, 0.5 % of the picture's diagonal wide; "
        f"{format_cell(100 * boundaries.wrong_near / max(boundaries.wrong, 1))} % of the wrong "
        "pixels are in such strips",
    )
    names = [*pair.classes, "none"]
    wrong = [
        (float(pixels[true, found]), true, found)
        for true in range(len(pair.classes))
        for found in range(len(names))
        if true != found and pixels[true, found]
    ]
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    confused = table(
        "confused_classes",
        "Classes taken for others",
        ["true", "predicted", "% of the true class", "% of wrong pixels"],
        [
            [
                names[true],
                names[found],
                100 * count / float(rows_of[true]),
                100 * count / sum(item[0] for item in wrong),
            ]
            for count, true, found in wrong[:SHOWN]
        ],
    )
    matrix = table(
        "confusion",
        "Confusion matrix",
        ["true", *names],
        [
            [name, *(100 * float(n) / float(rows_of[index]) for n in pixels[index])]
            for index, name in enumerate(pair.classes)
            if rows_of[index]
        ],
        "% of the pixels of each true class that were given to each class",
        wide=True,
    )
    return [by_class, confused, matrix]


def _segments(statistic: PanopticStatistic) -> Table:
    counts = statistic.counts.sum(axis=0)
    quality = statistic.per_class(np.ones(len(statistic.counts)))
    rows: list[list[Cell]] = []
    for index, name in enumerate(statistic.classes):
        iou, found, false, missed = counts[index].tolist()
        if found + false + missed == 0:
            continue
        mean = 100 * iou / found if found else None
        rows.append([name, quality[name], mean, int(found), int(false), int(missed)])
    return table(
        "segments",
        "Segments by class",
        ["class", "PQ", "mean IoU of found", "found", "false alarms", "missed"],
        rows,
        "found: IoU above 0.5 with a segment of the class",
    )


def _confused_tags(statistic: TagStatistic, tag: str, weights: Array) -> Table:
    counts = statistic.confusion(tag, weights)
    return table(
        f"confusion_{tag}",
        f"Confusion of {tag}",
        ["true", *statistic.values[tag]],
        [
            [name, *(int(count) for count in counts[index])]
            for index, name in enumerate(statistic.values[tag])
            if counts[index].sum()
        ],
        "pictures of each true value by the predicted one",
    )


# -- tracks ---------------------------------------------------------------------------------------


def _tables_of_tracks(pair: Pair, followed: Followed) -> list[Table]:
    counts = followed.statistic.counts

    def rows(names: tuple[str, ...], of: Array, key: str) -> list[list[Cell]]:
        found: list[list[Cell]] = []
        for index, name in enumerate(names):
            objects, misses, false, switches, fragments = (int(n) for n in of[index][:5])
            if not (objects or false):
                continue
            own = [life for life in followed.lives if getattr(life, key) == index]
            lost = sum(life.found == 0 for life in own)
            found.append([name, len(own), objects, misses, false, switches, fragments, lost])
        return found

    columns = ["tracks", "boxes", "missed", "false alarms", "switches", "fragments", "never found"]
    if pair.task == "mots":
        columns[1] = "masks"
    events = [
        [
            event.kind,
            pair.names[event.video],
            str(pair.truth[event.video][event.frame].name),
            pair.classes[event.category],
            event.object,
        ]
        for event in sorted(followed.events, key=lambda e: (e.video, e.frame, e.kind, e.object))
    ]
    lives = sorted(followed.lives, key=lambda life: (-life.switches - life.fragments, life.video))
    return [
        table(
            "tracks_by_class",
            "Tracks by class",
            ["class", *columns],
            rows(pair.classes, counts.sum(axis=0), "category"),
            "switches: an object gets another identity; fragments: it is lost and found again",
        ),
        table(
            "tracks_by_video",
            "Tracks by video",
            ["video", *columns],
            rows(pair.names, counts.sum(axis=1), "video"),
            wide=len(pair.names) > 2 * SHOWN,
        ),
        table(
            "broken_tracks",
            "Tracks that break most",
            ["video", "class", "id", "frames", "found", "switches", "fragments"],
            [
                [
                    pair.names[life.video],
                    pair.classes[life.category],
                    life.object,
                    life.frames,
                    life.found,
                    life.switches,
                    life.fragments,
                ]
                for life in lives[:SHOWN]
                if life.switches or life.fragments
            ],
        ),
        table(
            "events",
            "Where identities change and tracks are found again",
            ["event", "video", "frame", "class", "id"],
            events,
            wide=True,
        ),
    ]
