"""In which number format a model computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

PRECISIONS = ("auto", "fp32", "fp16", "bf16")

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def apply_precision(
    model: nn.Module, cfg: Config, precision: str, device: torch.device
) -> AbstractContextManager[Any]:
    """Set ``model`` to a precision; gives the context to run it in.

    ``auto`` is float32 on the CPU, and on a GPU what the model was published with: float16 in the
    parts that its package marks, where the config has ``fp16``. The others hold everywhere.
    """
    if precision in _DTYPES:
        return torch.autocast(device.type, dtype=_DTYPES[precision])
    if precision == "auto" and device.type == "cuda" and cfg.get("fp16") is not None:
        from mmcv.runner import wrap_fp16_model

        wrap_fp16_model(model)
    return nullcontext()
