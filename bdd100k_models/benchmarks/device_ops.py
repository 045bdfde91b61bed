"""mmcv's operations on a device beside the same on the CPU: results and gradients."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: Largest difference, relative to the largest value, of float32 computed in another order.
_FLOAT32 = 2e-5
_FLOAT16 = 5e-3


@dataclass(frozen=True)
class Operation:
    """One operation with inputs that are the same wherever it runs.

    Attributes:
        name: for the table.
        inputs: what it takes, on the CPU.
        call: the operation; gives a tensor or a list of them.
        gradients: of which inputs, by place, the derivatives are compared too.
        limit: largest difference of floats, relative to the largest value of the CPU's.
    """

    name: str
    inputs: tuple[Tensor, ...]
    call: Callable[..., Any]
    gradients: tuple[int, ...] = ()
    limit: float = _FLOAT32

    def run(self, device: torch.device) -> list[Tensor]:
        """Outputs, then gradients, on the CPU."""
        inputs = [tensor.detach().clone().to(device) for tensor in self.inputs]
        for place in self.gradients:
            inputs[place].requires_grad_()
        found = self.call(*inputs)
        outputs = list(found) if isinstance(found, (list, tuple)) else [found]
        if self.gradients:
            # Not a plain sum: every output weighs another amount.
            weights = torch.linspace(0.5, 1.5, outputs[0].numel(), device=device)
            (outputs[0].float().flatten() * weights).sum().backward()
            outputs += [inputs[place].grad for place in self.gradients]
        return [output.detach().cpu() for output in outputs]


def difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """Largest relative difference; infinite where shapes or whole numbers differ, or NaN is met."""
    worst = 0.0
    for ours, theirs in zip(found, expected, strict=True):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return float("inf")
        if not theirs.is_floating_point():
            apart = 0.0 if torch.equal(ours, theirs) else float("inf")
        elif theirs.numel():
            scale = theirs.double().abs().max().clamp(min=1e-12)
            apart = float((ours.double() - theirs.double()).abs().max() / scale)
        else:
            apart = 0.0
        worst = max(worst, float("inf") if math.isnan(apart) else apart)
    return worst


def operations(device: torch.device) -> Iterator[Operation]:
    """All of the zoo's; in float16 those that a GPU has kernels of its own for."""
    from mmcv.ops import (
        CrissCrossAttention,
        PSAMask,
        batched_nms,
        nms,
        nms_match,
        point_sample,
        roi_align,
        sigmoid_focal_loss,
        soft_nms,
        softmax_focal_loss,
    )

    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Tensor:
        return torch.tensor(rng.normal(0, 1, shape), dtype=torch.float32)

    def boxes(count: int) -> Tensor:
        corners = rng.uniform(0, 90, (count, 2))
        return torch.tensor(
            np.hstack([corners, corners + rng.uniform(4, 40, (count, 2))]), dtype=torch.float32
        )

    found = boxes(300)
    scores = torch.tensor(rng.permutation(300) / 300 + 0.001, dtype=torch.float32)
    labels = torch.tensor(rng.integers(0, 10, 300))
    for offset in (0, 1):
        yield Operation(
            f"nms, offset {offset}",
            (found, scores),
            lambda b, s, offset=offset: nms(b, s, 0.5, offset=offset),
        )
    for threshold, name in ((10000, ""), (50, ", class by class")):
        settings = {"type": "nms", "iou_threshold": 0.5, "split_thr": threshold}
        yield Operation(
            f"batched_nms{name}",
            (found, scores, labels),
            lambda b, s, i, settings=settings: batched_nms(b, s, i, dict(settings)),
        )
    for method in ("linear", "gaussian"):
        yield Operation(
            f"soft_nms, {method}",
            (found[:60], scores[:60]),
            lambda b, s, method=method: soft_nms(b, s, 0.3, method=method),
        )
    yield Operation(
        "nms_match",
        (torch.cat([found, scores[:, None]], dim=1),),
        lambda dets: [torch.cat([torch.as_tensor(group).cpu() for group in nms_match(dets, 0.5)])],
    )

    features = normal(2, 8, 32, 32)
    regions = torch.cat([torch.tensor(rng.integers(0, 2, (40, 1))), boxes(40)], dim=1).float()
    for pool, aligned in (("avg", True), ("avg", False), ("max", True)):
        yield Operation(
            f"roi_align, {pool}{', aligned' if aligned else ''}",
            (features, regions),
            lambda f, r, pool=pool, aligned=aligned: roi_align(f, r, 7, 0.25, 2, pool, aligned),
            gradients=(0,),
        )
    yield from _deformable(normal)
    targets = torch.tensor(rng.integers(0, 8, 50))
    for name, loss in (("sigmoid", sigmoid_focal_loss), ("softmax", softmax_focal_loss)):
        yield Operation(
            f"focal loss, {name}",
            (normal(50, 8), targets),
            lambda x, t, loss=loss: loss(x, t, 2.0, 0.25, None, "sum"),
            gradients=(0,),
        )
    for kind in ("collect", "distribute"):
        yield Operation(
            f"psa_mask, {kind}", (normal(2, 35, 6, 8),), PSAMask(kind, (5, 7)), gradients=(0,)
        )
    torch.manual_seed(0)
    attention = CrissCrossAttention(16)
    torch.nn.init.constant_(attention.gamma.scale, 0.7)
    yield Operation(
        "criss-cross attention",
        (normal(1, 16, 6, 8),),
        lambda x: copy.deepcopy(attention).to(x.device)(x),
        gradients=(0,),
        limit=1e-4,
    )
    points = torch.tensor(rng.uniform(0, 1, (2, 20, 2)), dtype=torch.float32)
    yield Operation("point_sample", (features, points), point_sample, gradients=(0,))
    if device.type == "cuda":
        yield Operation(
            "roi_align, float16",
            (features.half(), regions.half()),
            lambda f, r: roi_align(f, r, 7, 0.25, 2, "avg", True),
            limit=_FLOAT16,
        )


def _deformable(normal: Callable[..., Tensor]) -> Iterator[Operation]:
    from mmcv.ops import deform_conv2d, modulated_deform_conv2d

    features, weight = normal(2, 8, 12, 14), normal(6, 8, 3, 3)
    offset, mask = normal(2, 2 * 18, 12, 14), normal(2, 2 * 9, 12, 14).sigmoid()
    # The gradient by the weight sums over all places.
    yield Operation(
        "deform_conv2d",
        (features, offset, weight),
        lambda x, o, w: deform_conv2d(x, o, w, 1, 1, 1, 1, 2),
        gradients=(0, 1, 2),
        limit=1e-4,
    )
    yield Operation(
        "modulated_deform_conv2d",
        (features, offset, mask, weight, normal(6)),
        lambda x, o, m, w, b: modulated_deform_conv2d(x, o, m, w, b, 1, 1, 1, 1, 2),
        gradients=(0, 1, 2, 3, 4),
        limit=1e-4,
    )
