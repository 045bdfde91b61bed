"""The benchmark of whole commands: both ways run, give the same, and the figures are derived."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bdd100k_models.benchmarks.run import (
    Compared,
    Difference,
    Variant,
    compare,
    difference,
    document,
    render,
    save_json,
)
from bdd100k_models.benchmarks.stages import STAGES, Spent, Stages, alone
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY

SPENT = Spent(
    images=10,
    start_up=4.0,
    seconds=20.0,
    memory_mib=900.0,
    loader_mib=300.0,
    stages={"loading": 2.0, "forward": 16.0, "conversion": 1.0},
    forward=1.5,
    forward_cpu=2.5,
    decoding_cpu=0.5,
)
FP32, BF16 = Variant(), Variant("bf16", compile=True, ranks=2)


@pytest.fixture
def compared() -> Compared:
    """Ours is 4, 2 and 2.5 times as fast as the baseline, whatever its pace."""
    found = Compared("a_model", "det", cores=2, device="cpu")
    found.baseline = [replace(SPENT, seconds=seconds) for seconds in (40.0, 10.0, 25.0)]
    found.ours[FP32] = [replace(SPENT, seconds=seconds) for seconds in (10.0, 5.0, 10.0)]
    found.ours[BF16] = [replace(SPENT, seconds=seconds) for seconds in (4.0, 4.0, 4.0)]
    found.difference = {FP32: Difference(100, 0, 0.004), BF16: Difference(100, 3, 1.5)}
    return found


def test_ratios_are_those_of_a_turn(compared: Compared) -> None:
    assert compared.ratio(FP32) == 2.5
    assert compared.limit(FP32) == pytest.approx(2 / 3.0)
    assert replace(compared, device="cuda").limit(FP32) == pytest.approx(1 / 1.5)


def test_what_is_written(compared: Compared, tmp_path: Path) -> None:
    text = document([compared], "python tools/benchmark.py run", 3)
    assert "| a_model | packages' loop | 0.40 | 1 |" in text
    assert "| ours, auto | 1.00 | **2.50** | 1.50 | 1.500 | 900 | 4.0 | 20% | 160% |" in text
    assert "ours, bf16, compiled, 2 ranks" in text
    assert "3 of 100 labels differ" in text
    assert "Nothing was run on a GPU" in text
    assert "torch 2" in text
    save_json([compared], tmp_path / "figures.json")
    (model,) = json.loads((tmp_path / "figures.json").read_text())["models"]
    assert model["ours"][0]["ratio_to_baseline"] == 2.5
    assert len(model["baseline"]) == 3
    assert model["ours"][1]["difference"]["other"] == 3


def box(category: str, x: float, score: float) -> dict[str, object]:
    return {"id": "1", "category": category, "score": score, "box2d": {"x1": x, "x2": x + 5}}


def test_labels_are_compared_with_the_most_similar() -> None:
    found = [box("car", 10.0, 0.5), box("car", 90.0, 0.5), box("bus", 3.0, 0.9)]
    expected = [box("car", 90.01, 0.5), box("car", 10.0, 0.5), box("car", 3.0, 0.9)]
    result = difference(
        {"frames": [{"name": "a", "labels": found}]},
        {"frames": [{"name": "a", "labels": expected}]},
    )
    assert (result.labels, result.other) == (4, 2)
    assert result.number == pytest.approx(0.01)


def test_masks_and_tags_are_compared() -> None:
    def frame(last: int, weather: str) -> dict[str, object]:
        mask = np.zeros((4, 6), np.uint8, order="F")
        mask[:, :last] = 1
        encoded = coco_mask.encode(mask)
        rle = {"counts": encoded["counts"].decode(), "size": [4, 6]}
        labels = [{"category": "road", "rle": rle}]
        return {"frames": [{"name": "a", "attributes": {"weather": weather}, "labels": labels}]}

    assert difference(frame(3, "clear"), frame(3, "clear")) == Difference(2)
    apart = difference(frame(3, "clear"), frame(4, "snowy"))
    assert apart.other == 1
    assert apart.pixels == pytest.approx(1 / 6)


def test_stages_add_up() -> None:
    stages = Stages()
    assert list(stages.steps("loading", [1, 2])) == [1, 2]
    assert stages.calls("writing", sum)([1, 2]) == 3
    assert set(stages.seconds) == {"loading", "writing"}
    calls: list[int] = []
    seconds, cpu = alone(calls.append, [1, 2, 3])
    assert calls == [1, 1, 2, 3]
    assert 0 <= seconds < 1
    assert 0 <= cpu < 1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini") / "data"
    render(folder, 2)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "tagging_weather",
        "pose",
        pytest.param("det", marks=pytest.mark.slow),
        pytest.param("ins_seg", marks=pytest.mark.slow),
        pytest.param("sem_seg", marks=pytest.mark.slow),
        pytest.param("pan_seg", marks=pytest.mark.slow),
    ],
)
def test_both_ways_give_the_same(name: str, data: Path, tmp_path: Path) -> None:
    config = REPOSITORY / "demo" / "models" / f"{name}_mini.py"
    lines: list[str] = []
    found = compare(str(config), data, tmp_path, [Variant()], 1, lines.append)
    assert len(lines) == 2
    apart = found.difference[Variant()]
    assert apart.labels > 0
    assert apart.other == 0
    assert apart.pixels < 1e-5  # classes that are equal within rounding
    assert apart.number < 0.01
    for spent in (*found.baseline, *found.ours[Variant()]):
        assert spent.images == found.images > 0
        assert set(spent.stages) == set(STAGES)
        assert 0 < spent.stages["forward"] < spent.seconds
        assert min(spent.start_up, spent.memory_mib, spent.loader_mib, spent.forward) > 0
        assert min(spent.forward_cpu, spent.decoding_cpu) > 0


def test_a_run_that_fails_says_how(data: Path, tmp_path: Path) -> None:
    config = REPOSITORY / "demo" / "models" / "tagging_weather_mini.py"
    with pytest.raises(
        UserError, match=r"timed_test tagging ended with status 2: .*'fp99' is no choice"
    ):
        compare(str(config), data, tmp_path, [Variant(precision="fp99")], 1, lambda _: None)
