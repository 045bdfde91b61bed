"""Learning rates for other batches, and the hook that steps the optimizer."""

from __future__ import annotations

import pytest
import torch
from mmcv import Config
from mmcv.runner import HOOKS
from mmcv.utils import build_from_cfg

from bdd100k_models.engine.optimization import (
    batch_size,
    build_optimizer,
    optimizer_hook,
    package_of,
    set_learning_rate,
)
from bdd100k_models.errors import UserError

SGD = {"type": "SGD", "lr": 0.02, "momentum": 0.9}


def test_learning_rate_stays_and_the_scaled_one_is_told() -> None:
    cfg = Config({"optimizer": dict(SGD)})
    line = set_learning_rate(cfg, batch_size(cfg, 2, 4, 1), scale=False)
    assert line == (
        "config assumes 8 GPUs x 2 images, this run has 4: lr stays 0.02 "
        "(--auto-scale-lr scales it linearly to 0.005)"
    )
    assert cfg.optimizer.lr == 0.02


def test_learning_rate_is_scaled_linearly() -> None:
    cfg = Config({"optimizer": dict(SGD)})
    line = set_learning_rate(cfg, batch_size(cfg, 2, 4, 8), scale=True)
    assert "this run has 8 x 4: lr 0.02 is scaled linearly to 0.04" in line
    assert cfg.optimizer.lr == pytest.approx(0.04)


def test_nothing_to_scale_for_the_published_batch() -> None:
    cfg = Config({"optimizer": dict(SGD)})
    line = set_learning_rate(cfg, batch_size(cfg, 2, 2, 8), scale=True)
    assert line == "config assumes 8 GPUs x 2 images, this run has 8 x 2: lr stays 0.02"


def test_a_config_may_say_what_its_learning_rate_is_for() -> None:
    cfg = Config({"optimizer": dict(SGD), "auto_scale_lr": {"base_batch_size": 16}})
    batch = batch_size(cfg, 99, 8, 1)
    assert batch.factor == 0.5
    assert "config assumes 16 images a step" in set_learning_rate(cfg, batch, scale=False)


def test_several_optimizers_are_scaled_alike() -> None:
    cfg = Config({"optimizer": {"generator": dict(SGD), "discriminator": {**SGD, "lr": 0.1}}})
    set_learning_rate(cfg, batch_size(cfg, 1, 16, 1), scale=True)
    assert cfg.optimizer.generator.lr == pytest.approx(0.04)
    assert cfg.optimizer.discriminator.lr == pytest.approx(0.2)


CLIPPED = {"grad_clip": {"max_norm": 1}}
#: As detection configs ask for half precision, and as segmentation configs do.
DETECTION = {"optimizer_config": CLIPPED, "fp16": {"loss_scale": 512.0}}
SEGMENTATION = {
    "optimizer_config": {"type": "Fp16OptimizerHook", "loss_scale": "dynamic"},
    "fp16": {},
}
HALF = {"type": "Fp16OptimizerHook", "distributed": False}


@pytest.mark.parametrize(
    ("config", "device", "hook"),
    [
        ({}, "cpu", {"type": "OptimizerHook"}),
        ({"optimizer_config": CLIPPED}, "cuda", {"type": "OptimizerHook", **CLIPPED}),
        (DETECTION, "cpu", {"type": "OptimizerHook", **CLIPPED}),
        (DETECTION, "cuda", {**HALF, **CLIPPED, "loss_scale": 512.0}),
        (SEGMENTATION, "cpu", {"type": "OptimizerHook"}),
        (SEGMENTATION, "cuda", {**HALF, "loss_scale": "dynamic"}),
    ],
)
def test_half_precision_is_for_gpus(
    config: dict[str, object], device: str, hook: dict[str, object]
) -> None:
    cfg = Config(config)
    assert optimizer_hook(cfg, torch.device(device), distributed=False) == hook
    assert cfg._cfg_dict == Config(config)._cfg_dict


def test_package_of_a_network_that_is_none_of_theirs() -> None:
    assert package_of(torch.nn.Linear(1, 1)) == "mmcv"


def test_an_optimizer_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="Adamantium"):
        build_optimizer(torch.nn.Linear(1, 1), {"type": "Adamantium", "lr": 1.0})


@pytest.mark.parametrize(
    ("given", "expected"), [("dynamic", "dynamic"), (512, 512.0), (128.0, 128.0)]
)
def test_loss_scales_as_a_command_line_gives_them(given: object, expected: object) -> None:
    cfg = Config({"fp16": {"loss_scale": given}})
    hook = optimizer_hook(cfg, torch.device("cuda"), distributed=False)
    assert hook["loss_scale"] == expected
    assert type(hook["loss_scale"]) is type(expected)
    build_from_cfg(hook, HOOKS)
