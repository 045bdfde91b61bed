"""``tools/train.py --device cuda`` on a rehearsed GPU: steps, hooks, checkpoint, resume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bdd100k_models.benchmarks.rehearsal import RehearsedGpus, rehearsal
from bdd100k_models.cli.demo import MODELS, DemoModel
from bdd100k_models.cli.train import main
from bdd100k_models.files.places import REPOSITORY


def train(
    name: str, root: Path, work_dir: Path, *arguments: str, options: Sequence[str] = ()
) -> RehearsedGpus:
    config = REPOSITORY / "demo" / "models" / f"{name}.py"
    argv = [str(config), "--data-root", str(root), "--work-dir", str(work_dir), *arguments]
    argv += ["--device", "cuda", "--no-pretrained", "--workers", "0", "--seed", "3"]
    argv += ["--cfg-options", "data.samples_per_gpu=2", "log_config.interval=1", *options]
    with rehearsal() as gpus:
        assert main(argv) == 0
    return gpus


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_steps_of_each_task(model: DemoModel, mini_root: Path, tmp_path: Path) -> None:
    gpus = train(model.name, mini_root, tmp_path, "--no-validate", "--limit-steps", "1")
    assert gpus.touched == {0}
    first = torch.load(tmp_path / "latest.pth", weights_only=True)
    train(model.name, mini_root, tmp_path, "--no-validate", "--limit-steps", "2", "--resume")
    second = torch.load(tmp_path / "latest.pth", weights_only=True)
    assert (first["meta"]["iter"], second["meta"]["iter"]) == (1, 2)
    changed = [
        key
        for key, value in first["state_dict"].items()
        if not torch.equal(value, second["state_dict"][key])
    ]
    assert any(key.startswith("backbone.") for key in changed)
    assert {value.device.type for value in second["state_dict"].values()} == {"cpu"}


def test_a_step_in_half_precision(mini_root: Path, tmp_path: Path) -> None:
    options = ["fp16.loss_scale=512.0"]
    arguments = ["--no-validate", "--limit-steps", "1"]
    train("tagging_weather_mini", mini_root, tmp_path, *arguments, options=options)
    saved = torch.load(tmp_path / "latest.pth", weights_only=True)
    assert saved["meta"]["fp16"]["loss_scaler"]["scale"] == 512.0


def test_scores_on_the_way(mini_root: Path, tmp_path: Path) -> None:
    train("tagging_weather_mini", mini_root, tmp_path, options=["runner.max_epochs=1"])
    assert (tmp_path / "validation" / "scores.json").is_file()
