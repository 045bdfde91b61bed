"""Training of a tiny network on the mini dataset, through the script's own entry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bdd100k_models import build_model, load_config
from bdd100k_models.engine import devices, training
from bdd100k_models.files import hold
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import classes

Train = Callable[..., int]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def same_weights(one: Path, other: Path, tolerance: float = 0.0) -> bool:
    first, second = read(one)["state_dict"], read(other)["state_dict"]
    assert list(first) == list(second)
    return all(torch.allclose(first[k], second[k], rtol=0, atol=tolerance) for k in first)


def log_lines(work_dir: Path) -> list[dict[str, Any]]:
    files = sorted(work_dir.glob("*.log.json"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_a_run_gives_checkpoints_scores_and_logs(
    train: Train, tmp_path: Path, tiny: Path, mini_root: Path
) -> None:
    assert train("run", "--seed", "3") == 0
    run = tmp_path / "run"
    assert sorted(p.name for p in run.glob("epoch_*.pth")) == ["epoch_1.pth", "epoch_2.pth"]
    assert (run / "latest.pth").resolve().name == "epoch_2.pth"
    best = list(run.glob("best_accuracy_epoch_*.pth"))
    assert len(best) == 1
    assert "optimizer" not in read(best[0])

    last = read(run / "epoch_2.pth")
    assert last["meta"]["epoch"] == 2
    assert last["meta"]["iter"] == 6
    assert last["meta"]["seed"] == 3
    assert last["meta"]["task"] == "tagging"
    assert tuple(last["meta"]["CLASSES"]) == classes.WEATHER
    assert str(mini_root) not in str(last["meta"])
    assert str(tmp_path) not in str(last["meta"])
    assert "data/bdd100k/images/100k/train" in last["meta"]["config"]

    lines = log_lines(run)
    assert [line["iter"] for line in lines if line.get("mode") == "train"] == [1, 2, 3, 1, 2, 3]
    scores = [line["accuracy"] for line in lines if line.get("mode") == "val"]
    assert len(scores) == 2
    assert all(0 <= score <= 100 for score in scores)
    assert list((run / "tf_logs").glob("events.out.*"))
    assert json.loads((run / "validation" / "scores.json").read_text())

    cfg = load_config(tiny, data_root=mini_root)
    model = build_model(cfg, checkpoint=run / "epoch_2.pth")
    assert model.CLASSES == classes.WEATHER


@pytest.mark.parametrize("by_steps", [False, True])
def test_a_stopped_run_goes_on_as_if_it_had_not(
    by_steps: bool, train: Train, steps: list[str], tmp_path: Path
) -> None:
    options = steps if by_steps else None
    settings = ("--seed", "5", "--no-validate")
    last = "iter_6.pth" if by_steps else "epoch_2.pth"
    assert train("whole", *settings, options=options) == 0
    assert train("parts", *settings, "--limit-steps", "2", options=options) == 0
    stopped = read(tmp_path / "parts" / "iter_2.pth")
    assert (stopped["meta"]["epoch"], stopped["meta"]["iter"]) == (0, 2)
    assert not same_weights(tmp_path / "parts" / "iter_2.pth", tmp_path / "whole" / last)
    # The seed is that of the run that goes on, and another number of loaders changes nothing.
    settings = ("--no-validate", "--workers", "1", "--resume")
    assert train("parts", *settings, options=options) == 0
    assert same_weights(tmp_path / "parts" / last, tmp_path / "whole" / last)
    momentum = [read(tmp_path / d / last)["optimizer"]["state"] for d in ("parts", "whole")]
    assert torch.equal(momentum[0][0]["momentum_buffer"], momentum[1][0]["momentum_buffer"])


def test_losses_on_the_val_set(train: Train, tmp_path: Path) -> None:
    options = ["workflow=[(train,1),(val,1)]", "runner.max_epochs=1"]
    assert train("run", "--no-validate", options=options) == 0
    line = log_lines(tmp_path / "run")[-1]
    assert line["mode"] == "val"
    assert line["loss"] > 0


def test_another_seed_gives_another_network(train: Train, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        assert train(seed, "--seed", seed, "--no-validate", "--limit-steps", "1") == 0
    assert not same_weights(tmp_path / "1" / "iter_1.pth", tmp_path / "2" / "iter_1.pth")


def test_resume_passes_over_a_damaged_checkpoint(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert train("run", "--no-validate", "--limit-steps", "2", "--seed", "1") == 0
    whole = (run / "iter_2.pth").read_bytes()
    (run / "iter_3.pth").write_bytes(whole[: len(whole) // 2])
    assert train("run", "--no-validate", "--limit-steps", "4", "--resume") == 0
    assert "passed over" in capsys.readouterr().out
    assert any("iter_2.pth, step 2" in path.read_text() for path in run.glob("*.log"))
    assert read(run / "iter_4.pth")["meta"]["iter"] == 4


def test_resume_of_another_model_is_refused(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("run", "--no-validate", "--limit-steps", "1") == 0
    capsys.readouterr()
    options = ["model.backbone.depth=34"]
    assert train("run", "--no-validate", "--resume", options=options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "iter_1.pth is not of this run" in error


def test_resume_without_a_checkpoint_begins(train: Train, tmp_path: Path) -> None:
    assert train("run", "--no-validate", "--limit-steps", "1", "--resume") == 0
    assert (tmp_path / "run" / "iter_1.pth").is_file()


def test_earlier_checkpoints_are_not_overwritten_unasked(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "epoch_7.pth").write_bytes(b"weights")
    assert train("run", "--no-validate", "--limit-steps", "1") == 2
    assert "--resume to go on" in capsys.readouterr().err
    assert (run / "epoch_7.pth").read_bytes() == b"weights"
    assert train("run", "--no-validate", "--limit-steps", "1", "--overwrite") == 0
    assert not (run / "epoch_7.pth").exists()


def test_a_loss_that_is_no_number_stops_the_run(
    train: Train, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status = train("run", "--no-validate", "--seed", "0", options=["optimizer.lr=1e30"])
    assert status == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: the loss is no number at step ")
    assert "loss nan" in message or "loss inf" in message
    assert "lower optimizer.lr" in message
    weights = [read(path)["state_dict"] for path in (tmp_path / "run").glob("*.pth")]
    assert all(bool(v.isfinite().all()) for state in weights for v in state.values())


def test_ctrl_c_saves_and_exits_130(
    tiny: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interrupting_hook.py").write_text(
        "import os, signal\n"
        "from mmcv.runner import HOOKS, Hook\n"
        "@HOOKS.register_module(force=True)\n"
        "class InterruptingHook(Hook):\n"
        "    def before_train_iter(self, runner):\n"
        "        if runner.iter == 1:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
    )
    tiny.write_text(
        tiny.read_text()
        + 'custom_imports = dict(imports=["interrupting_hook"], allow_failed_imports=False)\n'
        + 'custom_hooks = [dict(type="InterruptingHook")]\n'
    )
    sys.path.insert(0, str(tmp_path))
    try:
        assert train("run", "--no-validate") == 130
    finally:
        sys.path.remove(str(tmp_path))
    assert read(tmp_path / "run" / "iter_2.pth")["meta"]["iter"] == 2
    assert "--resume" in capsys.readouterr().err


def test_load_from_starts_with_its_weights(train: Train, tmp_path: Path) -> None:
    assert train("one", "--no-validate", "--limit-steps", "1", "--seed", "1") == 0
    source = tmp_path / "one" / "iter_1.pth"
    options = [f"load_from={source}", "optimizer.lr=0.0"]
    assert train("two", "--no-validate", "--limit-steps", "1", "--seed", "2", options=options) == 0
    assert same_weights(source, tmp_path / "two" / "iter_1.pth")
    meta = read(tmp_path / "two" / "iter_1.pth")["meta"]
    assert meta["iter"] == 1
    assert str(tmp_path) not in str(meta)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["runner.type=OtherRunner"], "runner OtherRunner is not supported"),
        (["runner.max_epochs=None"], "does not say how long to train: set runner.max_epochs"),
        (["optimizer.type=Nothing"], "cannot be built"),
        (["model.backbone.type=Nothing"], "model cannot be built"),
        (["lr_config.policy=nothing"], "hooks cannot be built"),
        (["data.train.ann_file=/nowhere/det.json"], "/nowhere/det.json"),
        (["data.samples_per_gpu=0"], "data.samples_per_gpu"),
        (["model.head.num_classes=2"], "the head tells 2 classes apart, data.train has 7"),
        (["data.train.pipeline=[]"], "data.train.pipeline does not end with Collect"),
        (
            [
                "model.backbone.init_cfg.type=Pretrained",
                "model.backbone.init_cfg.checkpoint=no.pth",
            ],
            "--no-pretrained",
        ),
    ],
)
def test_mistakes_in_a_config_are_told_in_one_line(
    options: list[str], told: str, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("run", "--no-validate", options=options) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1


def test_a_step_that_fails_is_one_line(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["lr_config.gamma=x"]
    assert train("run", "--no-validate", options=options) == 2
    error = capsys.readouterr().err
    (log,) = (tmp_path / "run").glob("*.log")
    last = error.splitlines()[-1]
    assert last.startswith("error: step 1 failed (TypeError: ")
    assert f"{log} says where" in last
    assert "Traceback" not in error
    assert "Traceback" in log.read_text()


def test_a_picture_that_is_missing_is_named(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"data.train.data_prefix={tmp_path}/empty"]
    assert train("run", "--no-validate", "--workers", "1", options=options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{tmp_path}/empty/train0000" in error
    assert "No such file" in error


def test_missing_labels_are_told_before_training(
    train: Train, tmp_path: Path, mini_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "images").symlink_to(mini_root / "images")
    assert train("run", "--data-root", str(root)) == 2
    assert "--no-validate" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_two_ranks_train_as_one_with_twice_the_batch(
    train: Train, tiny: Path, mini_root: Path, tmp_path: Path
) -> None:
    common = ["--data-root", str(mini_root), "--device", "cpu", "--seed", "4"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_port=29617", str(REPOSITORY / "tools" / "train.py"), str(tiny), *common]
    command += ["--work-dir", str(tmp_path / "two"), "--launcher", "pytorch"]
    command += ["--cfg-options", "data.samples_per_gpu=1"]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert "this run has 2 x 1" in run.stderr
    assert train("one", "--seed", "4") == 0
    one, two = tmp_path / "one" / "epoch_2.pth", tmp_path / "two" / "epoch_2.pth"
    assert same_weights(one, two, tolerance=1e-6)
    losses = [
        [line["loss"] for line in log_lines(tmp_path / d) if line.get("mode") == "train"]
        for d in ("one", "two")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=2e-5)
    scores = [
        [line["accuracy"] for line in log_lines(tmp_path / d) if line.get("mode") == "val"]
        for d in ("one", "two")
    ]
    assert scores[0] == scores[1]


def test_overwrite_removes_nothing_before_all_else_was_found_right(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "epoch_7.pth").write_bytes(b"weights")
    for wrong in (
        "data.train.ann_file=/nowhere/det.json",
        "model.backbone.type=Nothing",
        "optimizer.type=Nothing",
        "lr_config.policy=nothing",
        "load_from=/nowhere/weights.pth",
    ):
        assert train("run", "--no-validate", "--overwrite", options=[wrong]) == 2, wrong
        assert (run / "epoch_7.pth").read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["iter_1.pth", "latest.pth"])
def test_overwrite_keeps_what_the_run_starts_from(
    name: str, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("run", "--no-validate", "--limit-steps", "1") == 0
    source = tmp_path / "run" / name
    capsys.readouterr()
    status = train("run", "--no-validate", "--overwrite", options=[f"load_from={source}"])
    assert status == 2
    assert f"load_from {source} is one of the checkpoints" in capsys.readouterr().err
    assert read(source)["meta"]["iter"] == 1


def test_one_run_at_a_time_in_a_work_dir(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(tmp_path / "run" / ".train.lock", "busy"):
        assert train("run", "--no-validate", "--limit-steps", "1") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: another run trains in {tmp_path / 'run'} now")
    assert train("run", "--no-validate", "--limit-steps", "1") == 0
    assert not list((tmp_path / "run").glob("*.lock"))


def test_sigterm_before_the_first_step_is_told_with_the_way_to_go_on(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(training, "build_network", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    assert train("run", "--no-validate") == 130
    assert capsys.readouterr().err.endswith("stopped; --resume goes on from the last checkpoint\n")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("tf32", [None, True, False])
def test_tf32_is_as_the_config_says_or_torch_does(
    tf32: bool | None, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[bool] = []
    monkeypatch.setattr(devices, "set_matmul_precision", lambda tf32: chosen.append(tf32))
    options = [] if tf32 is None else [f"tf32={tf32}"]
    assert train("run", "--no-validate", "--limit-steps", "1", options=options) == 0
    assert chosen == ([] if tf32 is None else [tf32])
