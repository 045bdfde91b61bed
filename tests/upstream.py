"""Models of the installed OpenMMLab packages with seeded weights, as their makers publish them."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmcv import Config
from torch import Tensor, nn

from bdd100k_models.config import apply_options
from bdd100k_models.engine.model import without_pretrained, without_sync_bn
from bdd100k_models.tasks import get_task
from bdd100k_models.zoo.public import PublicSource


def config_of(source: PublicSource, options: Mapping[str, Any] | None = None) -> Config:
    """The config that a package brings for a source, with what pretrains or synchronises gone."""
    package, _, path = source.config.partition(": ")
    folder = Path(str(importlib.import_module(package).__file__)).parent / ".mim"
    cfg = Config.fromfile(str(folder / path))
    without_pretrained(cfg.model)
    without_sync_bn(cfg.model)
    apply_options(cfg, options or {})
    return cfg


def network_of(task: str, cfg: Config, gain: float = 1.0) -> nn.Module:
    """The network of a config with seeded weights, by the builder of its package."""
    own = get_task(task)
    own.register()
    network = own.build_network(cfg.model).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            _fill(name, value, gain, generator)
    return network


def _fill(name: str, value: Tensor, gain: float, generator: torch.Generator) -> None:
    """Values that neither vanish nor explode; ``gain`` spreads the scores of classes."""
    if not value.dtype.is_floating_point:
        return
    drawn = torch.randn(value.shape, generator=generator)
    if "init_proposal_bboxes" in name:  # cx, cy, w, h as parts of the image
        value.copy_(torch.tensor([0.5, 0.5, 0.3, 0.3]) + 0.1 * drawn.tanh())
    elif name.endswith("running_var"):
        value.copy_(1 + 0.1 * drawn.tanh())
    elif value.ndim >= 2:
        scale = (2 / value[0].numel()) ** 0.5
        scale *= gain if any(part in name for part in ("cls", "final_layer", "logits")) else 1
        scale *= 0.05 if any(part in name for part in ("_reg", "fc_reg", "offset")) else 1
        value.copy_(drawn * scale)
    elif name.endswith("weight"):
        value.copy_((0.3 if name.endswith(("bn3.weight", "bn2.weight")) else 0.9) + 0.05 * drawn)
    else:
        value.copy_(0.05 * drawn)


def publish(network: nn.Module, source: PublicSource, folder: Path, **meta: Any) -> Path:
    """Write the weights as a checkpoint under the source's name, which tells their hash."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.filename
    torch.save({"state_dict": network.state_dict(), "meta": meta}, path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert source.sha256 is not None
    return path.rename(folder / source.filename.replace(source.sha256, digits))
