"""Networks that public weights belong to, built from the configs in the installed packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import bdd100k_models  # noqa: F401  before an OpenMMLab package is imported
from bdd100k_models.engine.model import without_pretrained, without_sync_bn


class _RatesAsNumbers(TorchFunctionMode):
    """Rates of stochastic depth are numbers, on whatever device a network is built."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs["device"] = "cpu"
        return function(*args, **kwargs)


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


@contextmanager
def on(device: str) -> Iterator[None]:
    """Within, tensors are made there; ``meta`` for shapes alone."""
    with torch.device(device), _RatesAsNumbers():
        yield


def upstream_network(source: str, device: str = "meta") -> nn.Module:
    """The network of a source's config, in eval mode."""
    cfg = upstream_config(source)
    without_pretrained(cfg.model)
    without_sync_bn(cfg.model)
    package = source.partition(":")[0]
    build = getattr(import_module(f"{package}.models"), _BUILDERS[package])
    with on(device):
        network: nn.Module = build(cfg.model)
    return network.eval()
