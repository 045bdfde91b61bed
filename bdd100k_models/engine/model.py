"""A network from a config, ready for inference: built, loaded, on its device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models import weights as checkpoints
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Task


def build_model(
    cfg: Config,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    *,
    task: Task | None = None,
    report: Callable[[str], None] = print,
) -> nn.Module:
    """See :func:`bdd100k_models.build_model`; ``task`` where the config does not tell it.

    ``report`` takes notes on the checkpoint.
    """
    chosen_device = resolve_device(device)
    task = task or task_of(cfg)
    model = build_network(task, cfg)
    if checkpoint is not None:
        path = checkpoints.find_checkpoint(
            cfg, task.name, None if checkpoint == "published" else checkpoint, report
        )
        checkpoints.load_weights(model, path, report)
    task.adapt(model)
    helper = task.helper()
    if helper is not None:
        task.take_helper(
            build_model(helper.cfg, helper.checkpoint, device, task=helper.task, report=report)
        )
    return model.to(chosen_device).eval()


def build_network(task: Task, cfg: Config) -> nn.Module:
    """The freshly built network of a config, for one process and without pretrained weights.

    SyncBN becomes BN, and what would fetch pretrained backbones is left out: a checkpoint holds
    every weight.

    Raises:
        UserError: the package's builder refuses ``cfg.model``.
    """
    if "model" not in cfg:
        raise UserError(f"{cfg.filename} has no model")
    task.register()
    task.bind(cfg)
    model_cfg = copy.deepcopy(cfg.model)
    without_pretrained(model_cfg)
    without_sync_bn(model_cfg)
    try:
        model = task.build_network(model_cfg)
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        raise UserError(f"{cfg.filename}: model cannot be built: {error}") from error
    model.CLASSES = task.classes  # type: ignore[assignment]
    return model


def without_pretrained(model_cfg: Any) -> None:
    """Remove, in place, every ``pretrained`` and every ``init_cfg`` with a ``checkpoint``."""
    if isinstance(model_cfg, Mapping):
        if model_cfg.get("pretrained") is not None:
            model_cfg["pretrained"] = None  # type: ignore[index]
        init = model_cfg.get("init_cfg")
        if isinstance(init, Mapping) and init.get("checkpoint") is not None:
            model_cfg["init_cfg"] = None  # type: ignore[index]
        for value in model_cfg.values():
            without_pretrained(value)
    elif isinstance(model_cfg, (list, tuple)):
        for value in model_cfg:
            without_pretrained(value)


def without_sync_bn(model_cfg: Any) -> None:
    """Replace, in place, SyncBN by BN: the same parameters, and no process group needed."""
    if isinstance(model_cfg, Mapping):
        if model_cfg.get("type") in ("SyncBN", "MMSyncBN"):
            model_cfg["type"] = "BN"  # type: ignore[index]
        for value in model_cfg.values():
            without_sync_bn(value)
    elif isinstance(model_cfg, (list, tuple)):
        for value in model_cfg:
            without_sync_bn(value)


def resolve_device(device: str) -> torch.device:
    """``cpu``, ``cuda``, ``cuda:N`` or ``auto`` -> a device that is there.

    Raises:
        UserError: unknown, or a GPU that this process does not see.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"--device {device}: use cpu, cuda, cuda:N or auto") from error
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise UserError(f"--device {device}: no GPU that this torch can use; try --device cpu")
        if chosen.index is not None and chosen.index >= count:
            raise UserError(f"--device {device}: there are {count} GPUs, counted from cuda:0")
    elif chosen.type != "cpu":
        raise UserError(f"--device {device}: use cpu, cuda, cuda:N or auto")
    return chosen
