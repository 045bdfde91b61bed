"""The appearance of a region as a vector, and how it is learnt (Pang et al., CVPR 2021).

Importing this module registers ``QuasiDenseEmbedHead``, ``MultiPosCrossEntropyLoss`` and
``L2Loss`` with MMDetection. Names of modules are those of the published weights.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.runner import BaseModule
from mmdet.models.builder import HEADS, LOSSES, build_loss
from torch import Tensor, nn

#: In the place of minus infinity, which has no gradient where nothing else is summed up.
_NOTHING = -1e30


@LOSSES.register_module()
class MultiPosCrossEntropyLoss(nn.Module):
    """log(1 + sum over all pairs of exp(negative - positive)), where many may be positive.

    Args:
        loss_weight: factor of the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, similarities: Tensor, targets: Tensor) -> Tensor:
        """Mean over the rows that have a positive; zero where none has.

        Args:
            similarities: (N, M) float.
            targets: (N, M) bool, which of the M are positives of each of the N.
        """
        negative = similarities.masked_fill(targets, _NOTHING).logsumexp(dim=1)
        positive = (-similarities).masked_fill(~targets, _NOTHING).logsumexp(dim=1)
        known = targets.any(dim=1)
        each = F.softplus(negative + positive)[known]
        return self.loss_weight * each.sum() / known.sum().clamp(min=1)


@LOSSES.register_module()
class L2Loss(nn.Module):
    """Squared distance of similarities, clamped to 0...1, from 1 for positives, 0 for negatives.

    Only the hardest negatives count.

    Args:
        neg_pos_ub: negatives that count for each positive.
        pos_margin: taken off the similarity of positives first.
        neg_margin: taken off the similarity of negatives first.
        loss_weight: factor of the loss.
    """

    def __init__(
        self,
        neg_pos_ub: int = 3,
        pos_margin: float = 0.0,
        neg_margin: float = 0.1,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.neg_pos_ub = neg_pos_ub
        self.pos_margin = pos_margin
        self.neg_margin = neg_margin
        self.loss_weight = loss_weight

    def forward(self, similarities: Tensor, targets: Tensor) -> Tensor:
        """Mean over what counts; arguments as :meth:`MultiPosCrossEntropyLoss.forward`."""
        margin = torch.where(targets, self.pos_margin, self.neg_margin)
        costs = ((similarities - margin).clamp(0, 1) - targets.float()).square()
        positive, negative = costs[targets], costs[~targets]
        most = self.neg_pos_ub * len(positive)
        if len(negative) > most:
            negative = negative.topk(most).values
        return (
            self.loss_weight
            * torch.cat([positive, negative]).sum()
            / max(len(positive) + len(negative), 1)
        )


@HEADS.register_module()
class QuasiDenseEmbedHead(BaseModule):
    """Convolutions and layers of neurons from the map of a region to its appearance.

    Args:
        num_convs: 3x3 convolutions, each with its norm and ReLU.
        num_fcs: layers before the last.
        roi_feat_size: height and width of a region's map.
        in_channels: of the map.
        conv_out_channels: of the convolutions.
        fc_out_channels: neurons of a layer.
        embed_channels: length of an embedding.
        norm_cfg: norm of the convolutions, as MMCV builds it.
        loss_track: loss on dot products.
        loss_track_aux: loss on cosines; None for none.
        init_cfg: how weights begin; None for the way of the paper.
    """

    def __init__(
        self,
        num_convs: int = 4,
        num_fcs: int = 1,
        roi_feat_size: int = 7,
        in_channels: int = 256,
        conv_out_channels: int = 256,
        fc_out_channels: int = 1024,
        embed_channels: int = 256,
        norm_cfg: dict[str, Any] | None = None,
        loss_track: dict[str, Any] | None = None,
        loss_track_aux: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(
            init_cfg
            or [
                {"type": "Xavier", "distribution": "uniform", "override": {"name": "fcs"}},
                {"type": "Normal", "std": 0.01, "override": {"name": "fc_embed"}},
            ]
        )
        norm = norm_cfg or {"type": "GN", "num_groups": 32}
        widths = [in_channels] + [conv_out_channels] * num_convs
        self.convs = nn.ModuleList(
            ConvModule(before, after, 3, padding=1, norm_cfg=norm)
            for before, after in itertools.pairwise(widths)
        )
        sizes = [widths[-1] * roi_feat_size**2] + [fc_out_channels] * num_fcs
        self.fcs = nn.ModuleList(
            nn.Linear(before, after) for before, after in itertools.pairwise(sizes)
        )
        self.fc_embed = nn.Linear(sizes[-1], embed_channels)
        self.loss_track = build_loss(
            loss_track or {"type": "MultiPosCrossEntropyLoss", "loss_weight": 0.25}
        )
        self.loss_track_aux = build_loss(loss_track_aux) if loss_track_aux else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, S, S) maps -> (N, embed_channels), not normalised."""
        for convolution in self.convs:
            x = convolution(x)
        x = x.flatten(1)
        for layer in self.fcs:
            x = F.relu(layer(x))
        embeddings: Tensor = self.fc_embed(x)
        return embeddings

    def loss(
        self, keys: list[Tensor], references: list[Tensor], targets: list[Tensor]
    ) -> dict[str, Tensor]:
        """Losses of pairs of frames, averaged over them.

        Args:
            keys: for each pair (N, E), embeddings of regions in the key frame.
            references: for each pair (M, E), of regions in the reference frame.
            targets: for each pair (N, M) bool, whether both are of one identity.
        """
        pairs = list(zip(keys, references, targets, strict=True))
        losses = {"loss_track": sum(self.loss_track(k @ r.T, t) for k, r, t in pairs) / len(pairs)}
        if self.loss_track_aux is not None:
            losses["loss_track_aux"] = sum(
                self.loss_track_aux(F.normalize(k) @ F.normalize(r).T, t) for k, r, t in pairs
            ) / len(pairs)
        return losses
