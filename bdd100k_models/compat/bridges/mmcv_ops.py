"""mmcv 1.x without its compiled module: operators that are one call of torchvision.

mmcv's own functions hand tensors of zeros to `mmcv._ext` and bring their own backward pass, which
autograd sees as a black box and torch.compile not at all. These are plain functions of torch.
Where a compiled `mmcv._ext` is installed, mmcv's stay. They can go with mmcv 1.x.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bdd100k_models.compat.finder import STAND_IN
from bdd100k_models.compat.registry import bridge


@bridge("mmcv.ops.roi_align")
def roi_align(module: Any) -> None:
    """`roi_align`, which the module `RoIAlign` calls."""
    if _stands_in(module):
        from bdd100k_models.compat.ops.roi_align import roi_align

        module.roi_align = roi_align
        module.RoIAlignFunction = _applied(roi_align)


@bridge("mmcv.ops.deform_conv")
def deform_conv(module: Any) -> None:
    """`deform_conv2d`, which `DeformConv2d` and `DeformConv2dPack` call."""
    if _stands_in(module):
        from bdd100k_models.compat.ops.deform_conv import deform_conv2d

        module.deform_conv2d = deform_conv2d
        module.DeformConv2dFunction = _applied(deform_conv2d)


@bridge("mmcv.ops.modulated_deform_conv")
def modulated_deform_conv(module: Any) -> None:
    """`modulated_deform_conv2d`, which `ModulatedDeformConv2d` and its packed form call."""
    if _stands_in(module):
        from bdd100k_models.compat.ops.deform_conv import modulated_deform_conv2d

        module.modulated_deform_conv2d = modulated_deform_conv2d
        module.ModulatedDeformConv2dFunction = _applied(modulated_deform_conv2d)


@bridge("mmcv.ops.nms")
def nms(module: Any) -> None:
    """The op inside of `nms`; `nms` and `batched_nms` themselves stay mmcv's."""
    if _stands_in(module):
        from bdd100k_models.compat.ops.nms import nms

        module.NMSop = _applied(nms)


def _stands_in(module: Any) -> bool:
    """Whether a module of mmcv.ops has our `_ext`, and not a compiled one."""
    return Path(module.ext_module.__file__) == STAND_IN


def _applied(function: Callable[..., Any]) -> SimpleNamespace:
    """What code that calls an autograd `Function` by ``apply`` finds in its place."""
    return SimpleNamespace(apply=function)
