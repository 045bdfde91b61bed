from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import Scores, evaluate


@pytest.fixture
def scores(world: Any) -> Scores:
    return evaluate("det", *world.det(), names=["scene-0.jpg"])


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


def test_saved_scores_are_strict_json(scores: Scores, tmp_path: Path) -> None:
    target = scores.save(tmp_path / "deep" / "scores.json")
    content = json.loads(target.read_text(), parse_constant=refuse_constant)
    assert content == scores.as_dict()
    assert content["AP"][1]["OVERALL"] == pytest.approx(scores.summary["AP"])
    absent = [name for name, score in scores.per_class["AP"].items() if math.isnan(score)]
    assert absent and all(content["AP"][0][name] is None for name in absent)
    assert [file.name for file in target.parent.iterdir()] == ["scores.json"]


def test_saving_where_nothing_can_be_written(scores: Scores, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*scores.json"):
        scores.save(tmp_path / "file" / "scores.json")


def test_table_is_the_official_one(scores: Scores) -> None:
    lines = scores.table().splitlines()
    assert lines[0].split()[:3] == ["AP", "AP50", "AP75"]
    assert lines[-2].split()[0] == "OVERALL"
    assert lines[-2].split()[1] == f"{scores.summary['AP']:.1f}"
    assert "\n".join(lines[:-1]) == str(scores.result).strip("\n")
    assert lines[-1] == "det: 1 images scored"


def test_per_class_leaves_conclusions_out(world: Any, scores: Scores) -> None:
    assert len(scores.per_class["AP"]) == 10
    panoptic = evaluate("pan_seg", *world.pan_seg()[:2])
    assert len(panoptic.per_class["PQ"]) == 40
    semantic = evaluate("sem_seg", *world.semantic("sem_seg")[:2])
    assert set(semantic.per_class) == {"IoU", "Acc"}
    assert len(semantic.per_class["IoU"]) == 19
    assert evaluate("pose", *world.pose()).per_class == {}
