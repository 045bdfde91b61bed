"""Two sets of predictions compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.analysis import compare
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import TASKS, evaluate
from bdd100k_models.zoo.classes import DET

Files = tuple[Path, Path]


def changed(path: Path, target: Path, change: Callable[[list[dict[str, Any]]], Any]) -> Path:
    frames = json.loads(path.read_text())["frames"]
    target.write_text(json.dumps({"frames": change(frames) or frames}))
    return target


@pytest.mark.parametrize("task", TASKS)
def test_the_same_twice_does_not_differ(task: str, files_of: Callable[[str], Files]) -> None:
    truth, predicted = files_of(task)
    found = compare(task, truth, predicted, predicted, draws=5)
    assert all(own.value == 0 and not own.sure for own in found.scores if own.first == own.first)
    assert found.most_different(10) == []
    assert "Scores" in found.text(10) and "pictures" not in found.as_json(10)["tables"]


def test_a_worse_one_is_behind_where_it_is_worse(world: Any, tmp_path: Path) -> None:
    truth, predicted = world.det()

    def spoil(frames: list[dict[str, Any]]) -> None:
        frames[2]["labels"] = []

    worse = changed(predicted, tmp_path / "worse.json", spoil)
    found = compare("det", truth, predicted, worse, draws=100)
    scores = {own.name: own for own in found.scores}
    for name, path in (("first", predicted), ("second", worse)):
        official = evaluate("det", truth, path).summary
        assert getattr(scores["AP"], name) == pytest.approx(official["AP"])
    assert scores["AP"].value < 0
    # A quarter of the pictures carries the difference: in some resamples it is not there.
    assert scores["AP"].low < scores["AP"].value < scores["AP"].high <= 0
    assert scores["AP"].ahead < 0.5
    (row,) = found.as_json(10)["tables"]["pictures"]["rows"]
    assert row["picture"] == "scene-2.jpg" and row["B"] == 0 and row["B - A"] == -row["A"]
    assert row["weather"] == "clear"
    back = compare("det", truth, worse, predicted, draws=100)
    assert {own.name: own.high for own in back.scores}["AP"] == pytest.approx(-scores["AP"].low)


def test_intervals_are_those_of_the_seed(world: Any, tmp_path: Path) -> None:
    truth, predicted = world.tagging()
    other = changed(
        predicted,
        tmp_path / "other.json",
        lambda frames: frames[3]["attributes"].update(weather="clear"),
    )
    first, again, else_ = (
        compare("tagging", truth, predicted, other, draws=50, seed=seed).as_json(5)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["tables"]["scores"] != else_["tables"]["scores"]


def test_a_consistent_difference_is_sure(world: Any, tmp_path: Path) -> None:
    truth, predicted = world.det()
    frames = json.loads(truth.read_text())
    perfect = tmp_path / "perfect.json"
    for frame in frames:
        frame["labels"] = [
            {**label, "score": 0.9} for label in frame["labels"] if label["category"] in DET
        ]
    perfect.write_text(json.dumps({"frames": frames}))
    found = compare("det", truth, predicted, perfect, draws=100)
    main = next(own for own in found.scores if own.name == "AP")
    assert main.second == pytest.approx(100) and main.sure and main.ahead == 1


def test_mistakes_say_which_file(world: Any, tmp_path: Path) -> None:
    truth, predicted = world.det()

    def rename(frames: list[dict[str, Any]]) -> None:
        frames[0]["name"] = "elsewhere.jpg"

    strange = changed(predicted, tmp_path / "strange.json", rename)
    with pytest.raises(UserError, match=r"strange\.json: 1 of 4 predicted images are not in"):
        compare("det", truth, predicted, strange, draws=2)
    halves = [
        changed(predicted, tmp_path / f"{part}.json", lambda f, p=part: f[2 * p : 2 * p + 2])
        for part in (0, 1)
    ]
    with pytest.raises(UserError, match="A and B have no pictures in common"):
        compare("det", truth, *halves, predicted_only=True, draws=2)
    whole = compare("det", truth, *halves, draws=2)
    assert whole.notes[0] == "A: 2 of 4 frames have no predictions and count as empty"


def test_parts_of_videos_that_differ_are_refused(
    files_of: Callable[[str], Files], tmp_path: Path
) -> None:
    truth, predicted = files_of("mot")
    part = changed(predicted, tmp_path / "part.json", lambda frames: frames[:3])
    with pytest.raises(UserError, match=r"A has 5 frames of video .*, B 3; leave out"):
        compare("mot", truth, predicted, part, predicted_only=True, draws=2)


def test_tags_of_two_kinds_are_refused(world: Any, tmp_path: Path) -> None:
    truth, predicted = world.tagging()

    def scenes(frames: list[dict[str, Any]]) -> None:
        for frame in frames:
            frame["attributes"] = {"scene": "highway"}

    other = changed(predicted, tmp_path / "other.json", scenes)
    with pytest.raises(UserError, match="A has the tags weather, B scene"):
        compare("tagging", truth, predicted, other, draws=2)
