"""Two sets of predictions over the same ground truth: which is better, how sure is that, where."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bdd100k_models.analysis.pairs import ATTRIBUTES, Pair, read_pair
from bdd100k_models.analysis.precision import Array
from bdd100k_models.analysis.statistics import gather
from bdd100k_models.analysis.tables import Cell, Table, table
from bdd100k_models.errors import UserError

#: Bounds of the interval that is given, in percent of the resamples.
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Difference:
    """A score of both, and how far the second is ahead.

    Attributes:
        name: of the score, or of the class.
        first, second: scores.
        low, high: the 95 % interval of second - first over resamples of the pictures; NaN where
            too few of these had something to score.
        ahead: part of the resamples in which the second is ahead, ties counted half.
    """

    name: str
    first: float
    second: float
    low: float
    high: float
    ahead: float

    @property
    def value(self) -> float:
        """second - first."""
        return self.second - self.first

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Two sets of predictions compared.

    Attributes:
        task: of both.
        unit: ``pictures`` or ``videos``.
        names: of the units, P of them.
        scores: the official scores.
        classes: the score that stands for the task, of each class.
        main: name of that score.
        each: (P, 2) that score of each unit alone, NaN where there is nothing to score.
        attributes: weather, scene and time of day of each unit, as far as known.
        draws: number of resamples.
        notes: what is worth knowing and no mistake.
    """

    task: str
    unit: str
    names: tuple[str, ...]
    scores: tuple[Difference, ...]
    classes: tuple[Difference, ...]
    main: str
    each: Array
    attributes: tuple[dict[str, str], ...]
    draws: int
    notes: tuple[str, ...]

    def most_different(self, count: int) -> list[int]:
        """Indices of the units whose own scores differ most, the largest difference first."""
        gap = np.nan_to_num(np.abs(self.each[:, 1] - self.each[:, 0]))
        order = np.argsort(-gap, kind="stable")[:count]
        return [index for index in order.tolist() if gap[index] > 0]

    def tables(self, count: int) -> list[Table]:
        """Scores, classes, and the ``count`` units that differ most."""
        known = [name for name in ATTRIBUTES if any(name in of for of in self.attributes)]
        different: list[list[Cell]] = [
            [
                self.names[index],
                float(self.each[index, 0]),
                float(self.each[index, 1]),
                float(self.each[index, 1] - self.each[index, 0]),
                *(self.attributes[index].get(name) for name in known),
            ]
            for index in self.most_different(count)
        ]
        tables = [
            self._differences("scores", "Scores", "score", self.scores),
            self._differences("classes", f"{self.main} by class", "class", self.classes),
            table(
                "pictures",
                f"Where they differ most: {self.main} of single {self.unit}",
                [self.unit[:-1], "A", "B", "B - A", *(ATTRIBUTES[name] for name in known)],
                different,
            ),
        ]
        return [own for own in tables if own.rows]

    def text(self, count: int) -> str:
        """What a terminal shows."""
        blocks = [f"{self.task}: {len(self.names)} {self.unit}"]
        blocks += [own.text() for own in self.tables(count)]
        return "\n\n".join([*blocks, *(f"note: {note}" for note in self.notes)])

    def as_json(self, count: int) -> dict[str, Any]:
        """The tables by their keys."""
        return {
            "task": self.task,
            self.unit: len(self.names),
            "draws": self.draws,
            "tables": {own.key: own.as_json() for own in self.tables(count)},
            "notes": list(self.notes),
        }

    def _differences(
        self, key: str, title: str, first: str, differences: tuple[Difference, ...]
    ) -> Table:
        return table(
            key,
            title,
            [first, "A", "B", "B - A", "from", "to", "B ahead %", "differ"],
            [
                [
                    own.name,
                    own.first,
                    own.second,
                    own.value,
                    own.low,
                    own.high,
                    100 * own.ahead,
                    "yes" if own.sure else "no",
                ]
                for own in differences
                if math.isfinite(own.first) or math.isfinite(own.second)
            ],
            f"from, to: 95 % interval of B - A over {self.draws} resamples of the {self.unit}; "
            "differ: it leaves 0 out",
        )


def compare(
    task: str,
    ground_truth: str | Path,
    first: str | Path,
    second: str | Path,
    *,
    tags_from: str | Path | None = None,
    predicted_only: bool = False,
    draws: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda draw: None,
) -> Comparison:
    """Compare two sets of predictions by a paired bootstrap over pictures, or videos.

    Each of ``draws`` resamples takes as many pictures as there are, with replacement, and scores
    both sets on the same ones (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993).

    Args:
        task: one of the tasks that an official evaluator scores.
        ground_truth: see :func:`~bdd100k_models.analysis.pairs.read_pair`, as ``tags_from``.
        first: predictions in Scalabel JSON.
        second: the same.
        predicted_only: compare on the pictures that both have only.
        draws: number of resamples.
        seed: of the resamples: the same seed, the same intervals.
        progress: called with the number of each resample that is done.

    Raises:
        UserError: see :func:`~bdd100k_models.analysis.pairs.read_pair`; the message begins with
            the file. Or no picture is in both.
    """
    pairs = []
    for path in (first, second):
        try:
            pairs.append(
                read_pair(
                    task, ground_truth, path, tags_from=tags_from, predicted_only=predicted_only
                )
            )
        except UserError as error:
            told = str(error)
            raise UserError(told if str(path) in told else f"{path}: {told}") from error
    left, right = _common(*pairs)
    statistics = (gather(left), gather(right))
    units = len(left.names)
    whole = np.ones(units)
    own = [one.both(whole) for one in statistics]
    names = {kind: [n for n in own[0][kind] if n in own[1][kind]] for kind in (0, 1)}
    drawn: dict[int, list[list[float]]] = {0: [], 1: []}
    random = np.random.default_rng(seed)
    for draw in range(draws):
        weights = random.multinomial(units, np.full(units, 1 / units)).astype(np.float64)
        scores = [one.both(weights) for one in statistics]
        for kind in (0, 1):
            drawn[kind].append([scores[1][kind][n] - scores[0][kind][n] for n in names[kind]])
        progress(draw + 1)
    differences = {
        kind: tuple(
            _difference(name, own[0][kind][name], own[1][kind][name], column)
            for name, column in zip(names[kind], np.array(drawn[kind]).T, strict=True)
        )
        for kind in (0, 1)
    }
    notes = [f"A: {note}" for note in left.notes] + [f"B: {note}" for note in right.notes]
    return Comparison(
        task,
        left.unit,
        left.names,
        differences[0],
        differences[1],
        statistics[0].main,
        np.stack([one.of_each(units) for one in statistics], axis=1),
        tuple(dict(of) for of in left.attributes),
        draws,
        tuple(notes),
    )


def _common(first: Pair, second: Pair) -> tuple[Pair, Pair]:
    """Both on the units that both have.

    Raises:
        UserError: they have none in common, or predict different tags.
    """
    if first.tags != second.tags:
        raise UserError(
            f"A has the tags {', '.join(first.tags)}, B {', '.join(second.tags)}; "
            "compare predictions of the same"
        )
    both = set(first.names) & set(second.names)
    if not both:
        raise UserError(
            f"A and B have no {first.unit} in common; were they predicted on the same split?"
        )
    first, second = first.only(both), second.only(both)
    for name, own, other in zip(first.names, first.truth, second.truth, strict=True):
        if len(own) != len(other):
            raise UserError(
                f"A has {len(own)} frames of video {name!r}, B {len(other)}; "
                "leave out --predicted-only, so that missing frames count as empty"
            )
    return first, second


def _difference(name: str, first: float, second: float, drawn: Array) -> Difference:
    known = drawn[np.isfinite(drawn)]
    # Of a class that is in few pictures, most resamples say nothing.
    if len(known) < max(2, len(drawn) / 2):
        return Difference(name, first, second, math.nan, math.nan, math.nan)
    low, high = np.percentile(known, INTERVAL)
    ahead = float(np.mean(known > 0) + np.mean(known == 0) / 2)
    return Difference(name, first, second, float(low), float(high), ahead)
