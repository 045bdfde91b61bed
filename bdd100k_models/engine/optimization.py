"""Optimizer, its hook, and the learning rate for a batch that is not the config's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models.config import registry_hint
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

#: The published configs were run on this many GPUs.
PUBLISHED_GPUS = 8

PACKAGES = ("mmdet", "mmseg", "mmcls", "mmpose")


def package_of(network: nn.Module) -> str:
    """``mmdet``, ``mmseg``, ``mmcls`` or ``mmpose``: where the class of a network comes from."""
    packages = [cls.__module__.partition(".")[0] for cls in type(network).__mro__]
    return next((name for name in packages if name in PACKAGES), "mmcv")


def build_optimizer(network: nn.Module, optimizer_cfg: Mapping[str, Any]) -> Any:
    """The optimizer of a config, or a dict of them, by the package's own builder.

    Each package has a layer-decay constructor of its own under the same name, so the network
    decides which is meant.

    Raises:
        UserError: no such optimizer or constructor, or arguments that it does not take.
    """
    package = package_of(network)
    try:
        if package == "mmdet":
            from mmdet.core import build_optimizer as build
        elif package == "mmseg":
            from mmseg.core import build_optimizer as build
        elif package == "mmpose":
            from mmpose.core import build_optimizers as build
        else:
            from mmcv.runner import build_optimizer as build
        return build(network, copy.deepcopy(optimizer_cfg))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"optimizer {dict(optimizer_cfg)} cannot be built: {error}{registry_hint(error)}"
        ) from error


def optimizer_hook(cfg: Config, device: torch.device, *, distributed: bool) -> dict[str, Any]:
    """Config of the hook that steps the optimizer: in float16 on a GPU where the config says so."""
    hook = copy.deepcopy(dict(cfg.get("optimizer_config") or {}))
    fp16 = cfg.get("fp16")
    if fp16 or hook.get("type") == "Fp16OptimizerHook":
        if device.type == "cuda":
            hook.update(fp16 or {})
            if isinstance(hook.get("loss_scale"), int):  # mmcv takes a float alone
                hook["loss_scale"] = float(hook["loss_scale"])
            return {**hook, "type": "Fp16OptimizerHook", "distributed": distributed}
        hook.pop("loss_scale", None)
        hook.pop("type", None)
    hook.setdefault("type", "OptimizerHook")
    return hook


@dataclass(frozen=True)
class BatchSize:
    """Images of one optimizer step: what the config's learning rate is for, and what there are."""

    base: int
    base_text: str
    images: int
    ranks: int

    @property
    def actual(self) -> int:
        """Images of one step of this run."""
        return self.images * self.ranks

    @property
    def factor(self) -> float:
        """What linear scaling multiplies the learning rate by."""
        return self.actual / self.base


def batch_size(cfg: Config, published_images: int, images: int, ranks: int) -> BatchSize:
    """Batch of a run with ``images`` on each of ``ranks``.

    The config's learning rate is for ``auto_scale_lr.base_batch_size`` images where it says so,
    else for ``published_images``, its own before any override, on each of 8 GPUs.
    """
    base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    if base:
        return BatchSize(int(base), f"{base} images a step", images, ranks)
    text = f"{PUBLISHED_GPUS} GPUs x {published_images} images"
    return BatchSize(PUBLISHED_GPUS * published_images, text, images, ranks)


def set_learning_rate(cfg: Config, batch: BatchSize, *, scale: bool) -> str:
    """Scale the learning rate, in place, where ``scale`` asks for it; gives the line to print."""
    rates = _rates(cfg.optimizer)
    own = f"{batch.ranks} x {batch.images}" if batch.ranks > 1 else f"{batch.images}"
    said = f"config assumes {batch.base_text}, this run has {own}"
    if batch.factor == 1 or not rates:
        return f"{said}: lr stays {_joined(rates)}"
    if not scale:
        scaled = _joined([rate * batch.factor for rate in rates])
        return f"{said}: lr stays {_joined(rates)} (--auto-scale-lr scales it linearly to {scaled})"
    _scale(cfg.optimizer, batch.factor)
    return f"{said}: lr {_joined(rates)} is scaled linearly to {_joined(_rates(cfg.optimizer))}"


def _rates(optimizer: Mapping[str, Any]) -> list[float]:
    if "lr" in optimizer:
        return [optimizer["lr"]]
    return [item["lr"] for item in optimizer.values() if isinstance(item, Mapping) and "lr" in item]


def _scale(optimizer: dict[str, Any], factor: float) -> None:
    for item in [optimizer, *optimizer.values()]:
        if isinstance(item, dict) and "lr" in item:
            item["lr"] *= factor


def _joined(rates: list[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates) or "as it is"
