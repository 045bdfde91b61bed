"""Settings that make no sense are told before anything is built or downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Train = Callable[..., int]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("data.samples_per_gpu=0", "data.samples_per_gpu=0 cannot be; give a whole number from 1"),
        ("data.samples_per_gpu=-2", "data.samples_per_gpu=-2 cannot be"),
        ("data.samples_per_gpu=2.5", "data.samples_per_gpu=2.5 cannot be"),
        ("data.workers_per_gpu=-1", "data.workers_per_gpu=-1 cannot be"),
        ("data.train=None", "has no data.train to train with"),
        ("data=None", "has no data to train with"),
        ("model=None", "has no model to train with"),
        ("optimizer=None", "has no optimizer to train with"),
        ("optimizer.lr=-0.1", "optimizer.lr=-0.1 cannot be; give a learning rate"),
        ("optimizer.lr=None", "optimizer.lr=None cannot be"),
        ("runner.max_epochs=0", "runner.max_epochs=0 cannot be"),
        ("runner.max_epochs=-3", "runner.max_epochs=-3 cannot be"),
        ("runner.max_epochs=1.5", "runner.max_epochs=1.5 cannot be"),
        ("evaluation.interval=0", "evaluation.interval=0 cannot be"),
        ("evaluation.interval=-1", "evaluation.interval=-1 cannot be"),
        ("evaluation.start=-1", "evaluation.start=-1 cannot be"),
        ("evaluation.save_best=foo", "save_best=foo is no score of tagging; one of auto, accuracy"),
        ("evaluation.save_best=acuracy", "did you mean 'accuracy'?"),
        ("evaluation.save_best=mIoU", "evaluation.save_best=mIoU is no score of tagging"),
        ("evaluation=5", "evaluation"),
        ("log_config.interval=0", "log_config.interval=0 cannot be"),
        ("lr_config=5", "lr_config"),
        ("workflow=[(foo,1)]", "workflow=[('foo', 1)] cannot be; give a list of ('train', N)"),
        ("workflow=[(train,0)]", "cannot be; give parts of 1 and more"),
        ("workflow=[(val,1)]", "cannot be; give something to train"),
        ("workflow=train", "workflow='train' cannot be"),
        ("workflow=5", "workflow=5 cannot be"),
        ("resume_from=5", "resume_from=5 cannot be; give the path of a checkpoint"),
        ("load_from=5", "load_from=5 cannot be"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    option: str, told: str, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("run", options=[option]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "argv", [["--allow-changes"], ["--allow-changes", "--overwrite"], ["--resume", "--overwrite"]]
)
def test_options_that_contradict_each_other(
    argv: list[str], train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *argv) == 2
    assert capsys.readouterr().err.startswith("error: --")
