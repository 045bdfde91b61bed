"""A run goes on as the one that it was, or says in what it is another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bdd100k_models.config import read_text
from bdd100k_models.data.mini.dataset import MiniOptions, build
from bdd100k_models.data.preparation import prepare
from bdd100k_models.engine.resuming import changes

Train = Callable[..., int]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


@pytest.fixture
def begun(train: Train, tmp_path: Path) -> Path:
    """The work dir of a run that stopped after its first step."""
    options = ("--no-validate", "--seed", "3", "--limit-steps", "1")
    assert train("run", *options) == 0
    return tmp_path / "run"


#: Arguments, options, and what is told.
_OTHERS: list[tuple[list[str], list[str], str]] = [
    ([], ["optimizer.lr=0.02"], "optimizer.lr was 0.01 and is 0.02 now"),
    (["--seed", "4"], [], "seed was 3 and is 4 now"),
    ([], ["data.samples_per_gpu=1"], "images a step was 2 and is 1 now"),
    ([], ["optimizer.type=Adam", "+optimizer.momentum=None"], "optimizer.type was SGD and is"),
    ([], ["model.backbone.depth=34"], "model.backbone.depth was 18 and is 34 now"),
    ([], ["runner.max_epochs=3"], "runner.max_epochs was 2 and is 3 now"),
    ([], ["lr_config.step=[2]"], "lr_config.step was [1] and is [2] now"),
    (["--auto-scale-lr"], [], "--auto-scale-lr was False and is True now"),
    ([], ["+data.train.classes=[clear,snowy]"], "data.train.classes was not set and is"),
]


def test_another_setting_is_refused_by_name(
    begun: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in begun.glob("*.pth"))
    for argv, options, told in _OTHERS:
        capsys.readouterr()
        assert train("run", "--no-validate", "--resume", *argv, options=options) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"error: {begun / 'iter_1.pth'} is not of this run: ")
        assert told in error
        assert "--allow-changes" in error
        assert sorted(path.name for path in begun.glob("*.pth")) == before


def test_another_dataset_is_refused(
    begun: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    build(other, MiniOptions(train=4, val=1, test=1, seed=1))
    prepare(other, quiet=True)
    argv = ["--no-validate", "--resume", "--data-root", str(other)]
    assert train("run", *argv) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "training pictures was 6 (" in error
    assert " and is 4 (" in error


def test_allowed_changes_are_told_and_hold(
    begun: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--no-validate", "--resume", "--allow-changes", "--limit-steps", "5"]
    options = ["optimizer.lr=0.5", "lr_config.warmup=None", "lr_config.step=[9]"]
    assert train("run", *argv, options=options) == 0
    assert "going on with changes: optimizer.lr was 0.01 and is 0.5 now" in capsys.readouterr().err
    content = read(begun / "iter_5.pth")
    assert read_text(content["meta"]["config"])["optimizer"]["lr"] == 0.5
    group = content["optimizer"]["param_groups"][0]
    assert (group["lr"], group["initial_lr"]) == (0.5, 0.5)
    assert content["meta"]["seed"] == 3
    # What the checkpoint says now is what the run goes on with unasked.
    assert train("run", "--no-validate", "--resume", options=options) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["optimizer.type=Adam", "optimizer.momentum=None"], "the optimizer begins anew"),
        (["model.head.in_channels=32", "model.backbone.base_channels=4"], "begins anew"),
        (["model.backbone.depth=34"], "the optimizer begins anew"),
    ],
)
def test_an_optimizer_or_model_of_another_kind_begins_anew(
    begun: Path,
    options: list[str],
    told: str,
    train: Train,
    capsys: pytest.CaptureFixture[str],
    tiny: Path,
) -> None:
    if "optimizer.type=Adam" in options:
        tiny.write_text(tiny.read_text().replace("dict(lr=0.01)", _ADAM))
        options = []
    argv = ["--no-validate", "--resume", "--allow-changes", "--limit-steps", "2"]
    assert train("run", *argv, options=options) == 0
    assert told in capsys.readouterr().err
    assert read(begun / "iter_2.pth")["meta"]["iter"] == 2


_ADAM = 'dict(_delete_=True, type="Adam", lr=0.01)'


def test_what_a_checkpoint_does_not_say_is_not_compared() -> None:
    now = {
        "task": "det",
        "seed": 1,
        "batch": 2,
        "scaled_lr": False,
        "pictures": "6",
        "config": "optimizer = dict(lr=0.1)\n",
    }
    assert changes({}, now) == []
    assert changes({"config": "import os\nos.abort()\n"}, now) == []
    assert changes({"config": "optimizer = abort()\n"}, now) == []
    assert changes({"config": 5, "seed": 1}, now) == []
    found = changes({"config": "optimizer = dict(lr=0.2, type='SGD')", "seed": 2}, now)
    assert [str(change) for change in found] == [
        "seed was 2 and is 1 now",
        "optimizer.lr was 0.2 and is 0.1 now",
        "optimizer.type was SGD and is not set now",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (5, "has no optimizer state and step to go on from"),
        ({"state_dict": {}, "optimizer": {}}, "has no optimizer state and step"),
        ({"state_dict": {}, "optimizer": {}, "meta": 5}, "has no optimizer state and step"),
        ({"state_dict": {}, "optimizer": {}, "meta": {"epoch": 0, "iter": 1}}, "not of this run"),
    ],
)
def test_a_file_that_no_run_wrote(
    content: Any, told: str, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "number.pth")
    options = [f"resume_from={tmp_path / 'number.pth'}"]
    assert train("run", "--no-validate", options=options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path / 'number.pth'} ")
    assert told in error
