"""The three functions a notebook needs; everything heavy is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

__all__ = ["build_model", "list_models", "load_config"]


def list_models(task: str | None = None, pattern: str = "*") -> list[str]:
    """Names of the published models, in the order of the catalogue.

    ``task`` keeps one task (``"det"``), ``pattern`` takes shell wildcards (``"*swin*"``).

    Raises:
        UserError: no such task.
    """
    from bdd100k_models.zoo import catalogue

    return catalogue.list_models(task=task, pattern=pattern)


def load_config(
    config: str | Path,
    *,
    options: dict[str, Any] | None = None,
    data_root: str | Path | None = None,
) -> Config:
    """A config made ready to run; see :func:`bdd100k_models.config.load_config`."""
    from bdd100k_models import config as config_module

    return config_module.load_config(config, options=options, data_root=data_root)


def build_model(
    cfg: Config, checkpoint: str | Path | None = None, device: str = "cpu"
) -> nn.Module:
    """The model of a config in ``eval`` mode on ``device``.

    ``checkpoint`` is a file, a URL, ``"published"`` for the published weights of the config,
    ``"public"`` for weights of others that fit it (the network has their class layer then, and
    ``CLASSES`` are theirs), or None for freshly initialised weights.

    Raises:
        UserError: the config names no model of the zoo's tasks, or the checkpoint is missing,
            damaged, unsafe, or belongs to another model.
    """
    from bdd100k_models.engine.model import build_model as build

    return build(cfg, checkpoint=checkpoint, device=device)
