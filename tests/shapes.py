"""Networks that public weights belong to, built from the configs in the installed packages."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

import bdd100k_models  # noqa: F401  before an OpenMMLab package is imported
from bdd100k_models.engine.model import without_pretrained, without_sync_bn
from bdd100k_models.engine.shapes import shapes_only

_BUILDERS = {
    "mmcls": "build_classifier",
    "mmdet": "build_detector",
    "mmpose": "build_posenet",
    "mmseg": "build_segmentor",
}


def upstream_config(source: str) -> Any:
    """``mmdet: configs/….py`` as the package has it."""
    from mmcv import Config

    package, _, path = source.partition(": ")
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Config.fromfile(Path(spec.origin).parent / ".mim" / path)


def upstream_network(source: str) -> nn.Module:
    """The network of a source's config, of shapes alone."""
    cfg = upstream_config(source)
    without_pretrained(cfg.model)
    without_sync_bn(cfg.model)
    package = source.partition(":")[0]
    build = getattr(import_module(f"{package}.models"), _BUILDERS[package])
    with shapes_only():
        network: nn.Module = build(cfg.model)
    return network
