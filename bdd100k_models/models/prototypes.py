"""Prototypes of feature maps by expectation-maximisation, and masks refined with their help.

Ke et al., «Prototypical Cross-Attention Networks for Multiple Object Tracking and Segmentation»,
NeurIPS 2021. Importing this module registers ``PrototypeRefineHead`` with MMDetection. Names of
modules are those of the published weights.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.runner import BaseModule
from mmdet.models.builder import HEADS, build_loss
from torch import Tensor, nn

#: How sharply a pixel chooses between prototypes.
_SHARPNESS = 20.0


def random_prototypes(channels: int, count: int) -> Tensor:
    """(1, channels, count), each of length 1."""
    return _unit(torch.randn(1, channels, count) * math.sqrt(2.0 / count))


def fit_prototypes(
    pixels: Tensor, prototypes: Tensor, rounds: int, weights: Tensor | None = None
) -> Tensor:
    """Rounds of expectation-maximisation.

    Args:
        pixels: (R, C, N), the features of N pixels, for each of R maps.
        prototypes: (R, C, K) or (1, C, K), to begin with.
        rounds: how often pixels are shared out anew.
        weights: (R, N), share of each pixel; None for 1. Without any pixel prototypes are zero.

    Returns:
        (R, C, K), each of length 1.
    """
    # With a row of ones the sums of shares come out of the same product.
    extended = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
    for _ in range(rounds):
        shares = (_SHARPNESS * _product(pixels.mT, prototypes)).softmax(dim=2)
        if weights is not None:
            shares = shares * weights[:, :, None]
        sums = _product(extended, shares)
        prototypes = _unit(sums[:, :-1] / (1e-6 + sums[:, -1:]))
    return prototypes


def choose(pixels: Tensor, prototypes: Tensor) -> Tensor:
    """(R, C, N) and (R, C, K) -> (R, N, K), how much each pixel is like each prototype."""
    return _product(pixels.mT, prototypes).softmax(dim=2)


def fuse(features: Tensor, memory: Tensor, start: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """A map enriched by what is like its pixels in another.

    Args:
        features: (1, C, H, W).
        memory: (1, C, H, W), where prototypes are looked for.
        start: (1, C, K), prototypes to begin with.
        rounds: of expectation-maximisation.

    Returns:
        The map (1, C, H, W), and the prototypes (1, C, K).
    """
    prototypes = fit_prototypes(memory.flatten(2), start, rounds)
    likeness = choose(features.flatten(2), prototypes)
    recalled = _product(prototypes, likeness.mT).view(features.shape)
    return 0.75 * features + 0.25 * recalled, prototypes


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Product of stacks of matrices; of a single one without the ways of stacks.

    Those may share out the work differently for another number of threads.
    """
    if len(first) == len(second) == 1:
        return (first[0] @ second[0])[None]
    return first @ second


def _unit(prototypes: Tensor) -> Tensor:
    return prototypes / (1e-6 + prototypes.norm(dim=1, keepdim=True))


class Prototypes(NamedTuple):
    """Of foreground and background, each (1, C, K)."""

    foreground: Tensor
    background: Tensor


@HEADS.register_module()
class PrototypeRefineHead(BaseModule):
    """A mask drawn anew with the help of the same thing's mask in an earlier frame.

    Args:
        num_convs: 3x3 convolutions.
        in_channels: of a region's map.
        conv_out_channels: of the convolutions.
        pos_proto_num: prototypes of the foreground.
        neg_proto_num: prototypes of the background.
        stage_num: rounds of expectation-maximisation on each of the two maps.
        momentum: share that prototypes keep when those of new regions are averaged in.
        match_score_thr: cosine of embeddings above which two regions are paired in training.
        loss_mask: loss of the mask.
        init_cfg: how weights begin; None for the way of the paper.
    """

    pos_mu: Tensor
    neg_mu: Tensor

    def __init__(
        self,
        num_convs: int = 4,
        in_channels: int = 256,
        conv_out_channels: int = 256,
        pos_proto_num: int = 10,
        neg_proto_num: int = 10,
        stage_num: int = 6,
        momentum: float = 0.95,
        match_score_thr: float = 0.5,
        loss_mask: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        kaiming = {"type": "Kaiming", "mode": "fan_out", "nonlinearity": "relu"}
        super().__init__(
            init_cfg or {**kaiming, "override": [{"name": "upsample"}, {"name": "conv_logits"}]}
        )
        self.stage_num = stage_num
        self.momentum = momentum
        self.match_score_thr = match_score_thr
        self.loss_mask = build_loss(loss_mask or {"type": "CrossEntropyLoss", "use_sigmoid": True})
        # Beside the map: likeness to foreground and to background, and the mask as it is.
        self.conv1 = ConvModule(in_channels + 3, conv_out_channels, 3, padding=1, act_cfg=None)
        self.conv2 = ConvModule(in_channels, conv_out_channels, 1, act_cfg=None)
        self.convs = nn.ModuleList(
            ConvModule(conv_out_channels, conv_out_channels, 3, padding=1)
            for _ in range(1, num_convs)
        )
        self.upsample = nn.ConvTranspose2d(conv_out_channels, conv_out_channels, 2, stride=2)
        self.conv_logits = nn.Conv2d(conv_out_channels, 1, 1)
        self.register_buffer("pos_mu", random_prototypes(in_channels, pos_proto_num))
        self.register_buffer("neg_mu", random_prototypes(in_channels, neg_proto_num))

    @property
    def prototypes(self) -> Prototypes:
        """As the checkpoint has them."""
        return Prototypes(self.pos_mu, self.neg_mu)

    def keep(self, prototypes: Prototypes) -> None:
        """From now on these are the head's own."""
        self.pos_mu.copy_(prototypes.foreground)
        self.neg_mu.copy_(prototypes.background)

    def forward(
        self,
        reference_features: Tensor,
        reference_logits: Tensor,
        features: Tensor,
        logits: Tensor,
        prototypes: Prototypes,
    ) -> tuple[Tensor, Prototypes]:
        """Refined masks, and the prototypes with those of these regions averaged in.

        Args:
            reference_features: (R, C, h, w), maps of the earlier regions.
            reference_logits: (R, H, W), their masks.
            features: (R, C, h, w), maps of the regions.
            logits: (R, H, W), their masks.
            prototypes: to begin with.

        Returns:
            (R, H, W) logits; and prototypes.
        """
        size = features.shape[2:]
        before = _resized(reference_logits, size)
        now = _resized(logits, size)
        shown = (before.sigmoid() >= 0.5).float()
        context = (reference_features * shown).sum(dim=(2, 3), keepdim=True) / (
            shown.sum(dim=(2, 3), keepdim=True) + 1e-5
        )
        with torch.no_grad():
            means = self._fitted(
                [reference_features, features], [shown, (now.sigmoid() >= 0.5).float()], prototypes
            )
            after = Prototypes(
                *(
                    self.momentum * old + (1 - self.momentum) * new.mean(dim=0, keepdim=True)
                    for old, new in zip(prototypes, means, strict=True)
                )
            )
        likeness = choose(features.flatten(2), torch.cat(means, dim=2))
        parts = likeness.split([means[0].shape[2], means[1].shape[2]], dim=2)
        sums = [part.sum(dim=2).view(now.shape) for part in parts]
        x = self.conv1(torch.cat([features, *sums, now], dim=1)) + self.conv2(context)
        for convolution in self.convs:
            x = convolution(x)
        refined: Tensor = self.conv_logits(F.relu(self.upsample(x)))
        return refined[:, 0], after

    def _fitted(
        self, maps: list[Tensor], shown: list[Tensor], prototypes: Prototypes
    ) -> Prototypes:
        """Prototypes of each region, (R, C, K), fitted to one map after the other."""
        foreground, background = prototypes
        for features, mask in zip(maps, shown, strict=True):
            pixels, weights = features.flatten(2), mask.flatten(1)
            foreground = fit_prototypes(pixels, foreground, self.stage_num, weights)
            background = fit_prototypes(pixels, background, self.stage_num, 1 - weights)
        return Prototypes(foreground, background)


def _resized(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """(R, H, W) -> (R, 1, *size)."""
    return F.interpolate(logits[:, None], size=size, mode="bilinear", align_corners=False)
