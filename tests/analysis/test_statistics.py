"""Scores by weights of pictures: the official ones, of all pictures and of some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.analysis.pairs import read_pair
from bdd100k_models.analysis.statistics import gather
from bdd100k_models.evaluation import TASKS, evaluate

#: What the official evaluators do not say.
OWN = {"switches", "fragments"}


@pytest.mark.parametrize("task", TASKS)
def test_scores_are_the_official_ones(
    task: str, files_of: Callable[[str], tuple[Path, Path]]
) -> None:
    truth, predicted = files_of(task)
    pair = read_pair(task, truth, predicted)
    statistic = gather(pair)
    official = evaluate(task, truth, predicted).summary
    scores = statistic.scores(np.ones(len(pair.names)))
    assert statistic.main in scores
    assert scores.keys() - OWN <= official.keys()
    expected = {name: official[name] for name in scores if name not in OWN}
    assert {k: v for k, v in scores.items() if k not in OWN} == pytest.approx(expected, nan_ok=True)
    if task in ("mot", "mots"):
        assert (scores["switches"], scores["fragments"]) == (official["IDSw"], official["FM"])


@pytest.mark.parametrize("task", [task for task in TASKS if task not in ("mot", "mots")])
def test_some_pictures_score_as_if_there_were_no_others(
    task: str, files_of: Callable[[str], tuple[Path, Path]]
) -> None:
    truth, predicted = files_of(task)
    pair = read_pair(task, truth, predicted)
    statistic = gather(pair)
    names = pair.names[1:3]
    official = evaluate(task, truth, predicted, names=names).summary
    found = statistic.scores(np.array([0.0, 1.0, 1.0, 0.0]))
    expected = {name: official[name] for name in found}
    assert found == pytest.approx(expected, nan_ok=True)
    alone = evaluate(task, truth, predicted, names=[pair.names[2]]).summary
    assert statistic.of_each(4)[2] == pytest.approx(alone[statistic.main])


def test_a_picture_that_counts_twice_is_there_twice(world: Any, edited: Any) -> None:
    truth, predicted = world.det()
    statistic = gather(read_pair("det", truth, predicted))
    found = statistic.scores(np.array([2.0, 1.0, 1.0, 1.0]))

    def repeat(content: Any) -> None:
        frames = content["frames"] if isinstance(content, dict) else content
        frames.append({**frames[0], "name": "again.jpg"})

    official = evaluate("det", edited(truth, repeat), edited(predicted, repeat)).summary
    assert found == pytest.approx({name: official[name] for name in found}, nan_ok=True)


def test_per_class_is_the_official_table(files_of: Callable[[str], tuple[Path, Path]]) -> None:
    truth, predicted = files_of("sem_seg")
    pair = read_pair("sem_seg", truth, predicted)
    official = evaluate("sem_seg", truth, predicted).per_class["IoU"]
    assert gather(pair).per_class(np.ones(4)) == pytest.approx(official)
