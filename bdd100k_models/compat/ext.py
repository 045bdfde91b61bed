"""What stands in for `mmcv._ext`, the compiled module of mmcv-full.

It is loaded under that name by `bdd100k_models.compat.finder`. It has ops that the zoo's models and
their training use and that mmcv's own functions call through it; RoIAlign, the deformable
convolutions and NMS do not pass here, as `bdd100k_models.compat.bridges.mmcv_ops` puts whole
functions in the place of mmcv's. Every other name is a function that raises `NotImplementedError`
when it is called, so that `mmcv.ops` imports.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from bdd100k_models.compat.ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from bdd100k_models.compat.ops.nms import nms_match, softnms
from bdd100k_models.compat.ops.psa_mask import psamask_backward, psamask_forward
from bdd100k_models.compat.ops.sync_bn import (
    sync_bn_backward_data,
    sync_bn_backward_param,
    sync_bn_forward_mean,
    sync_bn_forward_output,
    sync_bn_forward_var,
)

__all__ = [
    "get_compiler_version",
    "get_compiling_cuda_version",
    "nms_match",
    "psamask_backward",
    "psamask_forward",
    "sigmoid_focal_loss_backward",
    "sigmoid_focal_loss_forward",
    "softmax_focal_loss_backward",
    "softmax_focal_loss_forward",
    "softnms",
    "sync_bn_backward_data",
    "sync_bn_backward_param",
    "sync_bn_forward_mean",
    "sync_bn_forward_output",
    "sync_bn_forward_var",
]


def get_compiler_version() -> str:
    """Say, where mmcv would name its compiler, what runs instead."""
    return "none (torchvision ops through bdd100k_models.compat)"


def get_compiling_cuda_version() -> str:
    """Say, where mmcv would name its CUDA version, that there is none of its own."""
    return "none (that of torch)"


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Stand in for any op that is not here."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def unsupported(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f"mmcv op {name!r} has no replacement in bdd100k_models.compat: install the compiled "
            "module in place of mmcv, with a CUDA toolkit and a compiler: pip uninstall mmcv, then "
            "MMCV_WITH_OPS=1 pip install mmcv-full==1.7.0"
        )

    unsupported.__name__ = name
    return unsupported
