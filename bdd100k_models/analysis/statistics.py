"""Official scores as functions of how often each picture (or video) counts.

What the official evaluators gather from each picture is kept apart here, so that groups of
pictures, single ones and resamples are scored without comparing labels again. With the weights 1
each figure is the official one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bdd100k_models.analysis.matching import SIZES, ObjectMatches, match_objects
from bdd100k_models.analysis.pairs import Pair
from bdd100k_models.analysis.precision import Array, Matches, average_precisions
from bdd100k_models.evaluation.official import quiet


class Statistic(ABC):
    """What the score of a task is computed from, for each of P units."""

    #: The score that stands for the task, one of :meth:`scores`.
    main: str

    @abstractmethod
    def scores(self, weights: Array) -> dict[str, float]:
        """Scores in percent (counts as they are) where unit p counts ``weights[p]`` times.

        NaN where there is nothing to score. ``weights``: (P,) float64, not negative.
        """

    def per_class(self, weights: Array) -> dict[str, float]:
        """The score that stands for the task, class by class; empty where it has no classes."""
        return {}

    def both(self, weights: Array) -> tuple[dict[str, float], dict[str, float]]:
        """:meth:`scores` and :meth:`per_class`, in one pass where that is quicker."""
        return self.scores(weights), self.per_class(weights)

    def of_each(self, units: int) -> Array:
        """(P,) the main score of each of the P units alone."""
        one = np.ones(1)
        return np.array([self.alone(unit).scores(one)[self.main] for unit in range(units)])

    @abstractmethod
    def alone(self, unit: int) -> Statistic:
        """The same for one unit, as if there were no other."""


@dataclass(frozen=True)
class PrecisionStatistic(Statistic):
    """Average precision of boxes, masks and poses."""

    matches: ObjectMatches
    main: str = "AP"

    def scores(self, weights: Array) -> dict[str, float]:
        return self.both(weights)[0]

    def per_class(self, weights: Array) -> dict[str, float]:
        return self._names(self._by_class(self.matches.all, weights))

    def both(self, weights: Array) -> tuple[dict[str, float], dict[str, float]]:
        found = self._by_class(self.matches.all, weights)
        scores = {"AP": _percent(found)}
        for threshold in (0.5, 0.75):
            at = np.isclose(self.matches.thresholds, threshold)
            scores[f"AP{100 * threshold:.0f}"] = _percent(found[:, at])
        for size, suffix in SIZES.items():
            if suffix and size in self.matches.by_size:
                own = self._by_class(self.matches.by_size[size], weights)
                scores[f"AP{suffix}"] = _percent(own)
        return scores, self._names(found)

    def _names(self, found: Array) -> dict[str, float]:
        """AP of each class; of poses there is one class, which is the whole."""
        if len(found) == 1:
            return {}
        return {name: _percent(own) for name, own in zip(self.matches.classes, found, strict=True)}

    def _by_class(self, matches: Sequence[Matches], weights: Array) -> Array:
        """(C, T) average precision, 0 to 1."""
        return np.array([average_precisions(own, weights, self.matches.recalls) for own in matches])

    def alone(self, unit: int) -> PrecisionStatistic:
        # Of all sizes only: one picture has too few objects of each.
        own = {"all": [matches.of(unit) for matches in self.matches.all]}
        return PrecisionStatistic(replace(self.matches, by_size=own))


def _percent(values: Array) -> float:
    """Mean in percent of what is a number; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return 100 * float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class MapStatistic(Statistic):
    """IoU of class maps.

    Attributes:
        confusion: (P, C + 1, C + 1) int64 pixels, true class by predicted one; the last is none.
        present: (P, C) bool, which classes are true somewhere in a picture.
        classes: names.
    """

    confusion: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    classes: tuple[str, ...]
    main: str = "mIoU"

    def scores(self, weights: Array) -> dict[str, float]:
        pixels = self.pixels(weights)
        iou, present = self._iou(pixels), self._present(weights)
        right, predicted = np.diag(pixels), pixels.sum(axis=0)
        accuracy = _ratio(right, predicted)[:-1]
        rows = pixels[:-1]
        frequency = _ratio(rows.sum(axis=1), np.full(len(rows), rows.sum()))
        return {
            "mIoU": _percent(iou[present]),
            "mAcc": _percent(accuracy[present]),
            "fIoU": 100 * float((iou * frequency).sum()) if rows.sum() else float("nan"),
            "pAcc": 100 * float(right[:-1].sum() / rows.sum()) if rows.sum() else float("nan"),
        }

    def per_class(self, weights: Array) -> dict[str, float]:
        iou, present = self._iou(self.pixels(weights)), self._present(weights)
        return {
            name: 100 * float(value) if known else float("nan")
            for name, value, known in zip(self.classes, iou, present, strict=True)
        }

    def alone(self, unit: int) -> MapStatistic:
        own = slice(unit, unit + 1)
        return replace(self, confusion=self.confusion[own], present=self.present[own])

    def pixels(self, weights: Array) -> Array:
        """(C + 1, C + 1) pixels, true class by predicted one."""
        return np.tensordot(weights, self.confusion, axes=1)

    def _present(self, weights: Array) -> npt.NDArray[np.bool_]:
        return np.asarray(self.present[weights > 0].any(axis=0))

    @staticmethod
    def _iou(pixels: Array) -> Array:
        right = np.diag(pixels)
        return _ratio(right, pixels.sum(axis=0) + pixels.sum(axis=1) - right)[:-1]


def _ratio(part: Array, whole: Array) -> Array:
    """part / whole, 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


@dataclass(frozen=True)
class PanopticStatistic(Statistic):
    """PQ.

    Attributes:
        counts: (P, C, 4): sum of the IoU of segments found, their number, false ones, missed ones.
        classes: names.
        things: (C,) bool, which classes have instances.
    """

    counts: Array
    classes: tuple[str, ...]
    things: npt.NDArray[np.bool_]
    main: str = "PQ"

    def scores(self, weights: Array) -> dict[str, float]:
        quality = self._quality(weights)
        scores = dict(zip(("PQ", "SQ", "RQ"), map(_percent0, quality), strict=True))
        scores["PQ/THING"] = _percent0(quality[0][self.things])
        scores["PQ/STUFF"] = _percent0(quality[0][~self.things])
        return scores

    def per_class(self, weights: Array) -> dict[str, float]:
        return dict(zip(self.classes, (100 * self._quality(weights)[0]).tolist(), strict=True))

    def alone(self, unit: int) -> PanopticStatistic:
        return replace(self, counts=self.counts[unit : unit + 1])

    def _quality(self, weights: Array) -> tuple[Array, Array, Array]:
        """(C,) PQ, SQ and RQ, 0 to 1; NaN for classes without any segment."""
        iou, found, false, missed = np.tensordot(weights, self.counts, axes=1).T
        whole = found + (false + missed) / 2
        nothing = np.where(whole > 0, 0.0, np.nan)
        return (
            _ratio(iou, whole) + nothing,
            _ratio(iou, found) + nothing,
            _ratio(found, whole) + nothing,
        )


def _percent0(values: Array) -> float:
    """As :func:`_percent`, with the official 0 in the place of NaN."""
    value = _percent(values)
    return value if np.isfinite(value) else 0.0


@dataclass(frozen=True)
class TagStatistic(Statistic):
    """Accuracy of tags.

    Attributes:
        true: tag -> (P,) index of the true value.
        predicted: tag -> (P,) index of the predicted one.
        values: tag -> names of the values.
    """

    true: Mapping[str, npt.NDArray[np.int64]]
    predicted: Mapping[str, npt.NDArray[np.int64]]
    values: Mapping[str, tuple[str, ...]]
    main: str = "accuracy"

    def scores(self, weights: Array) -> dict[str, float]:
        by_tag = [self._of_tag(tag, weights) for tag in self.values]
        return {
            name: _percent(np.array([own[name] for own in by_tag]))
            for name in ("accuracy", "precision", "recall", "f1_score")
        }

    def per_class(self, weights: Array) -> dict[str, float]:
        found = {}
        for tag, names in self.values.items():
            counts = self.confusion(tag, weights)
            right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
            f1 = _ratio(2 * right, true + predicted)
            for name, value, known in zip(names, f1, true + predicted > 0, strict=True):
                found[f"{tag}: {name}"] = 100 * float(value) if known else float("nan")
        return found

    def confusion(self, tag: str, weights: Array) -> Array:
        """(V, V) pictures, true value by predicted one."""
        counts = np.zeros((len(self.values[tag]),) * 2)
        np.add.at(counts, (self.true[tag], self.predicted[tag]), weights)
        return counts

    def alone(self, unit: int) -> TagStatistic:
        own = slice(unit, unit + 1)
        return replace(
            self,
            true={tag: indices[own] for tag, indices in self.true.items()},
            predicted={tag: indices[own] for tag, indices in self.predicted.items()},
        )

    def _of_tag(self, tag: str, weights: Array) -> dict[str, float]:
        counts = self.confusion(tag, weights)
        right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        known = true + predicted > 0
        if not known.any():
            return dict.fromkeys(("accuracy", "precision", "recall", "f1_score"), float("nan"))
        precision, recall = _ratio(right, predicted), _ratio(right, true)
        f1 = _ratio(2 * precision * recall, precision + recall)
        means = {"precision": precision, "recall": recall, "f1_score": f1}
        # Where all pictures are of one value, the official code has an accuracy only.
        return {
            "accuracy": float(right.sum() / counts.sum()),
            **{
                name: float(own[known].mean()) if known.sum() > 1 else float("nan")
                for name, own in means.items()
            },
        }


#: What is counted of the tracks of one class in one video, in the order of the counts.
TRACK_COUNTS = (
    "objects",
    "misses",
    "false alarms",
    "switches",
    "fragments",
    "identity hits",
    "predictions",
)


@dataclass(frozen=True)
class TrackStatistic(Statistic):
    """MOTA and IDF1 of tracks.

    Attributes:
        counts: (V, C, 7) int64, see `TRACK_COUNTS`.
        classes: names.
    """

    counts: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    main: str = "mMOTA"

    def scores(self, weights: Array) -> dict[str, float]:
        counts = np.tensordot(weights, self.counts, axes=1)
        mota, idf1 = _mota(counts), _idf1(counts)
        whole = counts.sum(axis=0)
        # The official means count classes without objects as 0.
        return {
            "mMOTA": 100 * float(np.nan_to_num(mota).mean()),
            "mIDF1": 100 * float(np.nan_to_num(idf1).mean()),
            "MOTA": 100 * float(_mota(whole[None])[0]),
            "IDF1": 100 * float(_idf1(whole[None])[0]),
            "switches": float(whole[3]),
            "fragments": float(whole[4]),
        }

    def per_class(self, weights: Array) -> dict[str, float]:
        counts = np.tensordot(weights, self.counts, axes=1)
        return dict(zip(self.classes, (100 * _mota(counts)).tolist(), strict=True))

    def alone(self, unit: int) -> TrackStatistic:
        return replace(self, counts=self.counts[unit : unit + 1])


def _mota(counts: Array) -> Array:
    objects, misses, false, switches = counts[:, :4].T
    wrong = misses + false + switches
    return np.where(objects > 0, 1 - wrong / np.maximum(objects, 1), np.nan)


def _idf1(counts: Array) -> Array:
    both = counts[:, 0] + counts[:, 6]
    return np.where(both > 0, 2 * counts[:, 5] / np.maximum(both, 1), np.nan)


# -- gathering ------------------------------------------------------------------------------------


def gather(pair: Pair) -> Statistic:
    """What the score of a task is computed from."""
    if pair.task in ("det", "ins_seg", "pose"):
        return PrecisionStatistic(match_objects(pair))
    if pair.task in ("sem_seg", "drivable"):
        return _gather_maps(pair)
    if pair.task == "pan_seg":
        return _gather_panoptic(pair)
    if pair.task == "tagging":
        return _gather_tags(pair)
    from bdd100k_models.analysis.tracks import follow

    return follow(pair).statistic


def _gather_maps(pair: Pair) -> MapStatistic:
    from scalabel.eval.sem_seg import per_image_hist

    categories = {name: index for index, name in enumerate(pair.classes)}
    confusion = np.zeros((len(pair.names), len(categories) + 1, len(categories) + 1), np.int64)
    present = np.zeros((len(pair.names), len(categories)), dtype=np.bool_)
    for index, ((truth,), (predicted,)) in enumerate(zip(pair.truth, pair.predicted, strict=True)):
        counts, classes = per_image_hist(truth, predicted, categories, pair.config.imageSize)
        confusion[index] = counts
        present[index, sorted(classes)] = True
    return MapStatistic(confusion, present, pair.classes)


def _gather_panoptic(pair: Pair) -> PanopticStatistic:
    from scalabel.eval.pan_seg import pq_per_image
    from scalabel.eval.utils import label_ids_to_int
    from scalabel.label.utils import get_leaf_categories

    categories = get_leaf_categories(pair.config.categories)
    counts = np.zeros((len(pair.names), len(categories), 4))
    truth = [frame for (frame,) in pair.truth]
    with quiet():
        label_ids_to_int(truth)
        for index, (own, (predicted,)) in enumerate(zip(truth, pair.predicted, strict=True)):
            found = pq_per_image(own, predicted, categories, image_size=pair.config.imageSize)
            for category, of in found.pq_per_cats.items():
                counts[index, category] = of.iou, of.tpos, of.fpos, of.fneg
    things = np.array([bool(category.isThing) for category in categories])
    return PanopticStatistic(counts, pair.classes, things)


def _gather_tags(pair: Pair) -> TagStatistic:
    from bdd100k_models.evaluation.tagging import TAGS

    values = {tag: TAGS[tag] for tag in pair.tags}
    true, predicted = (
        {
            tag: np.array([names.index(str((f.attributes or {})[tag])) for (f,) in frames])
            for tag, names in values.items()
        }
        for frames in (pair.truth, pair.predicted)
    )
    return TagStatistic(true, predicted, values)
