"""A network that trains in a second, and a call of ``tools/train.py`` in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.cli.train import main
from bdd100k_models.files.places import REPOSITORY

# ``rank_processes`` must have a name by which a forked process can import it.
sys.path.insert(0, str(Path(__file__).parent))

#: A weather classifier on pictures of 64 x 64, with group norm: nothing in it looks at the batch.
_TINY = f"""
_base_ = "{REPOSITORY}/tagging/configs/weather/resnet18_4x_weather_tag_bdd100k.py"
model = dict(
    backbone=dict(stem_channels=8, base_channels=8, norm_cfg=dict(type="GN", num_groups=4)),
    head=dict(in_channels=64),
)
norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="RandomResizedCrop", size=64),
    dict(type="RandomFlip", flip_prob=0.5, direction="horizontal"),
    dict(type="Normalize", **norm),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="ToTensor", keys=["gt_label"]),
    dict(type="Collect", keys=["img", "gt_label"]),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", size=(64, 64)),
    dict(type="Normalize", **norm),
    dict(type="ImageToTensor", keys=["img"]),
    dict(type="Collect", keys=["img"]),
]
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=0,
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline),
)
optimizer = dict(lr=0.01)
lr_config = dict(_delete_=True, policy="step", step=[1], warmup="linear", warmup_iters=4)
log_config = dict(interval=1)
runner = dict(max_epochs=2)
"""

#: As step based configs have it.
STEPS = ["runner.type=IterBasedRunner", "runner.max_iters=6", "checkpoint_config.interval=4"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Config of the tiny classifier: three steps an epoch on the mini dataset, two epochs."""
    path = tmp_path / "tiny_weather.py"
    path.write_text(_TINY)
    return path


@pytest.fixture
def train(tiny: Path, mini_root: Path, tmp_path: Path) -> Callable[..., int]:
    """``train(work_dir, *arguments, options=[...])`` -> exit status."""

    def call(work_dir: str, *arguments: str, options: list[str] | None = None) -> int:
        argv: list[Any] = [str(tiny), "--data-root", str(mini_root), "--device", "cpu"]
        argv += ["--work-dir", str(tmp_path / work_dir), *arguments]
        return main([*argv, "--cfg-options", *options] if options else argv)

    return call


@pytest.fixture
def steps() -> list[str]:
    """Options that make the tiny config count steps."""
    return list(STEPS)
