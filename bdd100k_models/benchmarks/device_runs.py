"""Runs of the mini models for :mod:`bdd100k_models.benchmarks.device_check`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bdd100k_models.engine.devices import set_matmul_precision
from bdd100k_models.files import read_json
from bdd100k_models.files.places import REPOSITORY

#: Seconds that a run may take.
_PATIENCE = 600
#: Exit status of a training that was interrupted.
_INTERRUPTED = 130
#: Pictures that the models see.
_TRAIN, _VAL = 4, 3


def make_data(root: Path) -> None:
    """A mini dataset, prepared."""
    from bdd100k_models.data.mini.dataset import MiniOptions, build
    from bdd100k_models.data.preparation import prepare

    build(root, MiniOptions(train=_TRAIN, val=_VAL, test=0, seed=7))
    prepare(root, quiet=True)


def config_of(name: str) -> Path:
    """Config file of a mini model; its weights lie beside it."""
    return REPOSITORY / "demo" / "models" / f"{name}.py"


def missing_for(mode: str, device: str) -> str | None:
    """Why a mode cannot be run on a device, or None."""
    if mode == "tf32":
        if device == "cpu":
            return "TF32 is a format of GPUs"
        if torch.cuda.get_device_capability(device) < (8, 0):
            return "TF32 needs compute capability 8.0"
    if mode == "bf16" and device != "cpu" and not torch.cuda.is_bf16_supported():
        return "this GPU has no bfloat16"
    if mode == "compiled" and shutil.which(os.environ.get("CC", "cc")) is None:
        return "torch.compile needs a C compiler"
    if mode == "compiled" and shutil.which(os.environ.get("CXX", "c++")) is None:
        return "torch.compile needs a C++ compiler"
    return None


def predict(name: str, data: Path, device: str, mode: str) -> list[dict[str, np.ndarray]]:
    """Results of the validation pictures, as named arrays."""
    from bdd100k_models.engine.predictor import Predictor

    config = config_of(name)
    options: dict[str, Any] = {}
    if name.startswith("pose"):
        detector = config_of("det_mini")
        options["detector"] = os.fspath(detector)
        options["detector_checkpoint"] = os.fspath(detector.with_suffix(".pth"))
    predictor = Predictor(
        config,
        config.with_suffix(".pth"),
        device=device,
        precision="fp32" if mode == "compiled" else mode,
        compile=mode == "compiled",
        data_root=data,
        report=lambda _: None,
        **options,
    )
    records = predictor.task.records(predictor.cfg, predictor.options)
    return [result.arrays for result in predictor([record.path for record in records])]


# -- training ---------------------------------------------------------------------------------


def _train_arguments(name: str, data: Path, work_dir: Path, device: str) -> list[str]:
    arguments = [os.fspath(config_of(name)), "--data-root", os.fspath(data), "--device", device]
    return [*arguments, "--work-dir", os.fspath(work_dir), "--no-pretrained", "--no-validate"]


def _settings(name: str) -> list[str]:
    """``--cfg-options``: small batches, every step logged, no random numbers of the device."""
    from bdd100k_models.config import load_config

    settings = ["--cfg-options", "data.samples_per_gpu=2", "log_config.interval=1"]
    if "dropout_ratio" in (load_config(config_of(name)).model.get("decode_head") or {}):
        settings.append("model.decode_head.dropout_ratio=0.0")
    return settings


def first_loss(name: str, data: Path, work_dir: Path, device: str) -> float:
    """Loss of the first step, in float32.

    Raises:
        RuntimeError: the run failed.
    """
    from bdd100k_models.cli.train import main

    arguments = _train_arguments(name, data, work_dir, device)
    arguments += ["--seed", "3", "--workers", "0", "--limit-steps", "1", *_settings(name)]
    set_matmul_precision(tf32=False)
    status = main(arguments)
    if status:
        raise RuntimeError(f"training ended with status {status}")
    return float(_logged(work_dir)[0]["loss"])


def _logged(work_dir: Path) -> list[dict[str, Any]]:
    """What the log has of each step."""
    (path,) = sorted(work_dir.glob("*.log.json"))[-1:]
    entries = [json.loads(text) for text in path.read_text().splitlines()]
    return [entry for entry in entries if entry.get("mode") == "train"]


def stop_and_resume(name: str, data: Path, work_dir: Path, device: str) -> str:
    """End a training with SIGTERM after its first steps, then go on for two more.

    Raises:
        RuntimeError: it did not stop as it should, left no checkpoint, or did not go on from it.
    """
    command = [sys.executable, os.fspath(REPOSITORY / "tools" / "train.py")]
    command += _train_arguments(name, data, work_dir, device)
    options = [*_settings(name), "runner.max_epochs=100000"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if "Epoch [" in text:
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
        status = process.wait(_PATIENCE)
    if status != _INTERRUPTED:
        raise RuntimeError(f"SIGTERM ended the training with status {status}: {_last(rest)}")
    stopped = _steps(work_dir)
    _run([*command, "--resume", "--limit-steps", str(stopped + 2), *options])
    reached = _steps(work_dir)
    if reached != stopped + 2:
        raise RuntimeError(f"stopped after step {stopped}, asked for two more, now at {reached}")
    return f"stopped after step {stopped}, went on to {reached}"


def _steps(work_dir: Path) -> int:
    path = work_dir / "latest.pth"
    if not path.is_file():
        raise RuntimeError("no checkpoint was left")
    return int(torch.load(path, map_location="cpu", weights_only=True)["meta"]["iter"])


# -- two ranks --------------------------------------------------------------------------------


def train_on_two(name: str, data: Path, folder: Path, device: str) -> str:
    """Two steps by two processes.

    Raises:
        RuntimeError: they failed, or left no checkpoint.
    """
    work_dir = folder / "trained"
    arguments = _train_arguments(name, data, work_dir, device)
    arguments += ["--launcher", "pytorch", "--limit-steps", "1", *_settings(name)]
    _run([*_torchrun(), os.fspath(REPOSITORY / "tools" / "train.py"), *arguments])
    return f"{_steps(work_dir)} step, loss {_logged(work_dir)[-1]['loss']:.4f}"


def predict_on_two(name: str, data: Path, folder: Path, device: str) -> str:
    """The pictures shared by two processes give what one process gives.

    Raises:
        RuntimeError: a run failed, or the frames differ.
    """
    from bdd100k_models.config import load_config
    from bdd100k_models.tasks import task_of

    config = config_of(name)
    script = REPOSITORY / task_of(load_config(config)).name / "test.py"
    out = "--out" if script.parent.name == "tagging" else "--format-dir"
    frames = []
    for ranks, start in ((1, [sys.executable]), (2, _torchrun())):
        target = folder / f"predicted-{ranks}"
        arguments = [os.fspath(config), "--checkpoint", os.fspath(config.with_suffix(".pth"))]
        arguments += ["--data-root", os.fspath(data), "--device", device, out, os.fspath(target)]
        launcher = ["--launcher", "pytorch"] if ranks > 1 else []
        _run([*start, os.fspath(script), *arguments, *launcher])
        (written,) = (
            sorted(target.glob(f"{script.parent.name}.json")) or sorted(target.glob("*.json"))[:1]
        )
        frames.append(read_json(written)["frames"])
    names = [[frame["name"] for frame in some] for some in frames]
    if names[0] != names[1]:
        raise RuntimeError(f"one rank gives frames {names[0]}, two give {names[1]}")
    differing = [a["name"] for a, b in zip(*frames, strict=True) if a != b]
    if differing:
        raise RuntimeError(f"frames of {', '.join(differing)} are not those of one rank")
    return f"{len(names[0])} frames, the same as by one rank"


def _torchrun() -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    module = [sys.executable, "-m", "torch.distributed.run"]
    return [*module, "--nproc_per_node=2", f"--master_port={port}"]


def _run(command: Sequence[str]) -> None:
    """Run to the end.

    Raises:
        RuntimeError: it failed; the last line of what it said.
    """
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"no end after {time.monotonic() - started:.0f} s") from error
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {_last(done.stderr)}")


def _last(text: str) -> str:
    """The line that says most: that of an error, else the last one."""
    lines = [entry for entry in text.strip().splitlines() if entry.strip()]
    errors = [entry for entry in lines if entry.startswith("error")]
    return (errors or lines or [""])[-1]
