"""Processes, ranks and loaders killed at random moments: what ``--resume`` gives is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from bdd100k_models.files import REPOSITORY

MODEL = REPOSITORY / "demo" / "models" / "tagging_weather_mini.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


@pytest.fixture
def pictures(mini_root: Path, tmp_path: Path) -> Path:
    """A folder of 60 pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    known = sorted((mini_root / "images" / "100k" / "val").glob("*.jpg"))
    for number in range(60):
        (folder / f"{number:03}.jpg").symlink_to(known[number % len(known)])
    return folder


def predicting(pictures: Path, out: Path, *more: str) -> list[str]:
    script = str(REPOSITORY / "tagging" / "test.py")
    weights = ["--checkpoint", str(MODEL.with_suffix(".pth")), "--device", "cpu"]
    return [script, str(MODEL), *weights, "--images", str(pictures), "--out", str(out), *more]


def training(config: Path, root: Path, work_dir: Path, *more: str) -> list[str]:
    script = str(REPOSITORY / "tools" / "train.py")
    argv = [script, str(config), "--data-root", str(root), "--work-dir", str(work_dir)]
    return [*argv, "--device", "cpu", "--no-validate", "--seed", "3", *more]


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def disturb(command: Sequence[str], victim: str, seconds: float, chance: random.Random) -> None:
    """Start a command, kill the process itself or one of its children, and wait for all to end."""
    process = start(command)
    time.sleep(chance.uniform(0.1, 1.0) * seconds)
    own = children(process.pid) if victim == "child" else []
    with suppress(ProcessLookupError):  # it has ended by itself
        os.kill(chance.choice(own) if own else process.pid, signal.SIGKILL)
    output = process.communicate(timeout=180)[0]
    assert victim == "itself" or "Traceback" not in output.split("torch/distributed")[0], output
    until = time.monotonic() + 60
    while not is_gone(process.pid):
        assert time.monotonic() < until, "processes stay behind"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "victim", "kills"),
    [
        ("predicting", "itself", 12),
        ("predicting", "child", 12),
        ("predicting on two ranks", "child", 8),
        ("training", "itself", 10),
        ("training", "child", 8),
    ],
)
def test_whatever_is_killed_the_end_is_the_same(
    kind: str,
    victim: str,
    kills: int,
    pictures: Path,
    tiny: Path,
    mini_root: Path,
    tmp_path: Path,
) -> None:
    chance = random.Random(f"{kind} {victim}")
    ends: list[Path] = []
    seconds = 0.0
    for name in ("whole", "killed"):
        out = tmp_path / name
        if kind == "training":
            command = [sys.executable, *training(tiny, mini_root, out, "--workers", "1")]
        else:
            command = [sys.executable, *predicting(pictures, out, "--workers", "1")]
        if kind.endswith("ranks"):
            command = [*TORCHRUN, *command[1:], "--launcher", "pytorch"]
        command += ["--resume"]
        ends.append(out)
        if name == "whole":
            begun = time.monotonic()
        else:
            shared = set(os.listdir("/dev/shm"))
            for _ in range(kills):
                disturb(command, victim, seconds, chance)
            assert not {n for n in set(os.listdir("/dev/shm")) - shared if "torch" in n}
        run = start(command)
        output = run.communicate(timeout=600)[0]
        assert run.returncode == 0, output
        seconds = time.monotonic() - begun
    if kind == "training":
        states = [torch.load(out / "epoch_2.pth", weights_only=True) for out in ends]
        for key, value in states[0]["state_dict"].items():
            assert torch.equal(value, states[1]["state_dict"][key]), key
    else:
        first, second = ((out / "tagging.json").read_bytes() for out in ends)
        assert first == second
