"""Training in two real processes: signals, deaths, batch norm, and who sends what through what.

The default group stands for NCCL: it refuses what a GPU's would (see ``rank_processes``).
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from rank_processes import Ended, run_ranks, train_with

from bdd100k_models.cli.test import main

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


@pytest.fixture
def run(tiny: Path, mini_root: Path, tmp_path: Path) -> Any:
    """``run(*arguments, hook=dict(...), options=[...])`` -> how each of two ranks ended.

    Steps are of 2 pictures: three an epoch, two epochs.
    """

    def call(
        *arguments: str, hook: dict[str, Any] | None = None, options: tuple[str, ...] = ()
    ) -> list[Ended]:
        if hook is not None:
            config = tmp_path / "tiny_with_hook.py"
            config.write_text(
                f'_base_ = "{tiny}"\ncustom_hooks = [dict(type="SignallingHook", **{hook})]\n'
            )
        else:
            config = tiny
        argv = [str(config), "--data-root", str(mini_root), "--device", "cpu", "--seed", "3"]
        argv += ["--work-dir", str(tmp_path / "run"), *arguments]
        argv += ["--cfg-options", "data.samples_per_gpu=1", *options]
        return run_ranks(train_with, argv, folder=tmp_path / "ranks")

    return call


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*_*.pth") if not path.is_symlink())


def content(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = torch.load(path, weights_only=True)
    return read


@pytest.mark.parametrize("ranks", [[0], [1], [0, 1]])
@pytest.mark.parametrize(
    ("moment", "step", "saved", "steps"),
    [
        ("before_train_iter", 0, "iter_1.pth", 1),
        ("after_train_iter", 1, "iter_2.pth", 2),
        ("before_train_iter", 2, "iter_3.pth", 3),  # the last step of an epoch
        ("after_train_epoch", 3, "epoch_1.pth", 3),
        ("after_train_iter", 5, "iter_6.pth", 6),  # the last one of all
        ("after_train_epoch", 6, "epoch_2.pth", 6),
    ],
)
def test_a_signal_stops_all_ranks_after_the_same_step(
    moment: str, step: int, saved: str, steps: int, ranks: list[int], run: Any, tmp_path: Path
) -> None:
    hook = {"number": TERM, "moment": moment, "step": step, "ranks": ranks}
    ends = run("--no-validate", hook=hook)
    assert [end.status for end in ends] == [130, 130], ends
    meta = content(tmp_path / "run" / saved)["meta"]
    assert meta["iter"] == steps
    assert max(int(content(p)["meta"]["iter"]) for p in (tmp_path / "run").glob("*.pth")) == steps
    assert ends[0].err.splitlines()[-1] == "stopped; --resume goes on from the last checkpoint"
    assert "Traceback" not in ends[0].err + ends[1].err


def test_a_stopped_run_of_two_ranks_goes_on(run: Any, tmp_path: Path) -> None:
    hook = {"number": TERM, "moment": "after_train_iter", "step": 2, "ranks": [1]}
    assert [end.status for end in run("--no-validate", hook=hook)] == [130, 130]
    assert checkpoints(tmp_path / "run") == ["iter_3.pth"]
    ends = run("--no-validate", "--resume", "--allow-changes")  # it has no such hook
    assert [end.status for end in ends] == [0, 0], ends
    assert checkpoints(tmp_path / "run") == ["epoch_1.pth", "epoch_2.pth", "iter_3.pth"]


def test_steps_are_stopped_too(run: Any, steps: list[str], tmp_path: Path) -> None:
    hook = {"number": TERM, "moment": "before_train_iter", "step": 2, "ranks": [1]}
    ends = run("--no-validate", hook=hook, options=tuple(steps))
    assert [end.status for end in ends] == [130, 130], ends
    assert checkpoints(tmp_path / "run") == ["iter_3.pth"]


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("moment", ["before_train_iter", "after_train_iter"])
def test_a_rank_that_is_killed_ends_the_other_with_one_line(
    moment: str, who: int, run: Any
) -> None:
    hook = {"number": KILL, "moment": moment, "step": 1, "ranks": [who]}
    ends = run("--no-validate", hook=hook)
    assert ends[who].status == -KILL
    left = ends[1 - who]
    assert left.status == 2
    assert "another process of this run has ended before its time" in left.err.splitlines()[-1]
    assert "Traceback" not in left.err
    assert left.seconds < 10


def test_a_picture_that_one_rank_cannot_read_ends_both_alike(
    run: Any, mini_root: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "pictures"
    broken.mkdir()
    for picture in (mini_root / "images" / "100k" / "train").iterdir():
        (broken / picture.name).symlink_to(picture)
    missing = sorted(broken.iterdir())[2]
    missing.unlink()
    ends = run("--no-validate", options=(f"data.train.data_prefix={broken}",))
    assert [end.status for end in ends] == [2, 2], ends
    assert f"{missing.name} of data.train cannot be read" in ends[0].err.splitlines()[-1]
    assert "cannot be read" not in ends[1].err


def test_a_mistake_is_told_once(run: Any) -> None:
    ends = run("--no-validate", options=("optimizer.type=Nothing",))
    assert [end.status for end in ends] == [2, 2]
    assert "cannot be built" in ends[0].err
    assert "error" not in ends[1].err


def test_ranks_score_the_network_that_is_saved(
    run: Any, tiny: Path, mini_root: Path, tmp_path: Path
) -> None:
    # Batch norm, of which each rank counts statistics of its own pictures.
    tiny.write_text(tiny.read_text().replace('type="GN", num_groups=4', 'type="BN", momentum=0.9'))
    ends = run(options=("runner.max_epochs=1", "evaluation.save_best=None"))
    assert [end.status for end in ends] == [0, 0], ends
    assert "memory: 3" in ends[0].err
    for end in ends:
        by_gpus, by_hosts = map(int, end.out.split("collectives")[-1].split())
        assert by_gpus > 0
        assert by_hosts > 3
    validation = tmp_path / "run" / "validation"
    scored = json.loads((validation / "tagging.json").read_text())
    state = content(tmp_path / "run" / "epoch_1.pth")["state_dict"]
    assert any("running_mean" in key for key in state)
    test = tmp_path / "test"
    argv = [str(tiny), "--checkpoint", str(tmp_path / "run" / "epoch_1.pth"), "--device", "cpu"]
    assert main("tagging", [*argv, "--data-root", str(mini_root), "--out", str(test)]) == 0
    assert json.loads((test / "tagging.json").read_text()) == scored
