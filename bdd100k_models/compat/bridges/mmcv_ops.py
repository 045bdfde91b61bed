"""mmcv 1.x without its compiled module: operators that are one call of torchvision.

mmcv's own functions hand tensors of zeros to `mmcv._ext` and bring their own backward pass, which
autograd sees as a black box and torch.compile not at all. These are plain functions of torch.
Where a compiled `mmcv._ext` is installed, mmcv's stay. They can go with mmcv 1.x.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bdd100k_models.compat.finder import STAND_IN
from bdd100k_models.compat.registry import bridge

if TYPE_CHECKING:
    from torch import Tensor

#: Fewer boxes are through one call before they are sorted by class.
BOXES_WORTH_SPLITTING = 500


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
    """The op inside of `nms`; `nms` itself stays mmcv's."""
    if _stands_in(module):
        from bdd100k_models.compat.ops.nms import nms

        module.NMSop = _applied(nms)


@bridge("mmcv.ops.nms")
def nms_one_class_after_the_other(module: Any) -> None:
    """`batched_nms` on a CPU: it looks at all pairs of boxes, also at those of different classes.

    With thousands of boxes, such as the proposals of five levels, each class alone takes a part of
    the time and keeps the same boxes.
    """
    if not _stands_in(module):
        return
    from bdd100k_models.compat.ops.nms import nms_by_class

    together = module.batched_nms

    def batched_nms(
        boxes: "Tensor",
        scores: "Tensor",
        idxs: "Tensor",
        nms_cfg: "dict[str, Any] | None",
        class_agnostic: bool = False,
    ) -> "tuple[Tensor, Tensor]":
        import torch

        options = dict(nms_cfg or {"type": None})
        mixed = options.pop("class_agnostic", class_agnostic)
        kind = options.pop("type", "nms")
        limit = options.pop("split_thr", 10000)
        if (
            kind != "nms"
            or mixed
            or not BOXES_WORTH_SPLITTING <= len(boxes) < limit
            or boxes.device.type != "cpu"
            or boxes.shape[1] != 4
            or options.keys() - {"iou_threshold", "score_threshold", "max_num"}
            or torch.compiler.is_compiling()
            or torch.onnx.is_in_onnx_export()
            # A negative coordinate would reach into the place of the class before.
            or bool((boxes < 0).any())
        ):
            return together(boxes, scores, idxs, nms_cfg, class_agnostic)
        keep = nms_by_class(boxes, scores, idxs, **options)
        return torch.cat([boxes[keep], scores[keep, None]], dim=1), keep

    module.batched_nms = batched_nms


def _stands_in(module: Any) -> bool:
    """Whether a module of mmcv.ops has our `_ext`, and not a compiled one."""
    return Path(module.ext_module.__file__) == STAND_IN


def _applied(function: Callable[..., Any]) -> SimpleNamespace:
    """What code that calls an autograd `Function` by ``apply`` finds in its place."""
    return SimpleNamespace(apply=function)
