"""In which number format a model computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def apply_precision(model: nn.Module, cfg: Config, precision: str, device: torch.device) -> None:
    """Set ``model`` to a precision, in place.

    ``fp16`` and ``bf16`` hold in backbone and neck, where the time goes; heads get float32, as
    their boxes and scores need it. ``auto`` is float32 on the CPU, and on a GPU what the model was
    published with: float16 in the parts that its package marks, where the config has ``fp16``.
    What float32 means on a GPU is a setting of the process; see ``devices.set_matmul_precision``.
    """
    if precision in _DTYPES:
        for name in ("backbone", "neck"):
            part = getattr(model, name, None)
            if part is not None:
                _compute_in(part, device, _DTYPES[precision])
    elif precision == "auto" and device.type == "cuda" and cfg.get("fp16") is not None:
        from mmcv.runner import wrap_fp16_model

        wrap_fp16_model(model)


def _compute_in(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    forward = module.forward

    def in_dtype(*inputs: Any, **options: Any) -> Any:
        with torch.autocast(device.type, dtype=dtype):
            outputs = forward(*inputs, **options)
        return to_float32(outputs)

    module.forward = in_dtype


def to_float32(value: Any) -> Any:
    """Tensors of floats in a nest of lists, tuples and dicts as float32; the rest as it is."""
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: to_float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_float32(item) for item in value)
    return value
