"""Scores and predictions against what the catalogue tells of a model."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from bdd100k_models.cli import verify_scores
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import evaluate
from bdd100k_models.evaluation.claims import Claim, read_summary, scores_problems, verify
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import PublishedModel

NAMES = {
    "tagging": "resnet18_4x_weather_tag_bdd100k",
    "det": "retinanet_r50_fpn_1x_det_bdd100k",
    "sem_seg": "fpn_r50_512x1024_40k_sem_seg_bdd100k",
    "drivable": "fpn_r50_512x1024_40k_drivable_bdd100k",
    "pan_seg": "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k",
    "pose": "res50_256x192_1x_pose_bdd100k",
}


def told(task: str, column: str, value: float) -> PublishedModel:
    """A published model with another figure in a column."""
    model = catalogue.find(NAMES[task])
    columns = {**model.columns, column: f"{value:.2f}"}
    return replace(model, columns=MappingProxyType(columns))


@pytest.mark.parametrize(
    ("claimed", "found", "holds"),
    [
        ("31.04", 31.0449, True),
        ("31.04", 31.0351, True),
        ("31.04", 31.0460, False),
        ("36.6", 36.64, True),
        ("6193", 6193.0, True),
        ("6193", 6194.0, False),
        ("31.04", float("nan"), False),
    ],
)
def test_a_claim_holds_to_its_last_digit(claimed: str, found: float, holds: bool) -> None:
    assert Claim("m-val", claimed, found).holds is holds


@pytest.mark.parametrize(
    ("task", "column", "key"),
    [
        ("det", "Box AP-val", "AP"),
        ("pose", "Pose AP-val", "AP"),
        ("pan_seg", "PQ-val", "PQ"),
        ("tagging", "Acc-val", "accuracy"),
        ("sem_seg", "mIoU-val", "mIoU"),
        ("drivable", "mIoU-val", "mIoU"),
    ],
)
def test_scores_agree_with_the_table(
    world: Any, tmp_path: Path, task: str, column: str, key: str
) -> None:
    files = world.semantic(task) if "mIoU" in column else getattr(world, task)()
    truth, predicted = files[:2]
    scores = evaluate(task, truth, predicted)
    path = scores.save(tmp_path / "scores.json")
    assert read_summary(task, path)[key] == pytest.approx(scores.summary[key])
    assert scores_problems(told(task, column, scores.summary[key]), path) == []
    (problem,) = scores_problems(told(task, column, 12.34), path)
    assert problem == f"Scores: {column}: 12.34 is told, {scores.summary[key]:.2f} found"


def test_scores_that_lack_a_metric(world: Any, edited: Any, tmp_path: Path) -> None:
    path = evaluate("det", *world.det()).save(tmp_path / "scores.json")
    edited(path, lambda content: content.pop("AP75") and None)
    (problem,) = scores_problems(catalogue.find(NAMES["det"]), path)
    assert problem == f"Scores: {path} lacks AP75 of det"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not JSON"),
        ("[]", "expected metrics with their scores, found a list"),
        ('{"AP": "good"}', "AP is no score: good"),
    ],
)
def test_scores_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(text)
    (problem,) = scores_problems(catalogue.find(NAMES["det"]), path)
    assert message in problem


def test_predictions_score_what_is_told(world: Any) -> None:
    truth, predicted = world.det()
    found = evaluate("det", truth, predicted).summary["AP"]
    root = world.labels.parent
    assert verify(told("det", "Box AP-val", found), predicted, root).problems == ()
    verdict = verify(told("det", "Box AP-val", 12.34), predicted, root)
    assert verdict.problems == (f"Predictions: Box AP-val: 12.34 is told, {found:.2f} found",)


def test_predictions_that_lack_pictures(world: Any, edited: Any) -> None:
    truth, predicted = world.det()
    edited(predicted, lambda content: content["frames"].pop() and None)
    found = evaluate("det", truth, predicted).summary["AP"]
    verdict = verify(told("det", "Box AP-val", found), predicted, world.labels.parent)
    assert verdict.problems == (
        "Predictions: 3 of the 4 pictures of the validation set are predicted",
    )


def test_a_model_without_the_metric(world: Any) -> None:
    _, predicted = world.det()
    model = replace(catalogue.find(NAMES["det"]), columns=MappingProxyType({}))
    with pytest.raises(UserError, match="has none of the metrics Box AP-val to verify"):
        verify(model, predicted, world.labels.parent)


def test_the_script(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    truth, predicted = world.det()
    root = os.fspath(world.labels.parent)
    found = evaluate("det", truth, predicted).summary["AP"]
    argv = [NAMES["det"], os.fspath(predicted), "--data-root", root]
    assert verify_scores.main(argv) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"Box AP-val: 28.58 is told, {found:.2f} found: differs",
        "det: 4 images scored",
    ]
