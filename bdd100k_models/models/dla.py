"""Deep Layer Aggregation (Yu et al., «Deep Layer Aggregation», CVPR 2018), as a classifier.

Importing this module registers ``DLA`` with mmcls. Names of modules are those of the published
weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcls.models.backbones.base_backbone import BaseBackbone
from mmcls.models.builder import BACKBONES
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut that the surrounding tree gives.

    Args:
        in_channels: channels in.
        channels: channels out.
        stride: of the first convolution.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H/stride, W/stride), as ``shortcut``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if shortcut is None else shortcut))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, half as wide inside; arguments as :class:`BasicBlock`."""

    groups = 1
    reduction = 2

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        inner = channels // self.reduction
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _conv3x3(inner, inner, stride, self.groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """See :meth:`BasicBlock.forward`."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if shortcut is None else shortcut))


class BottleneckX(Bottleneck):
    """A bottleneck of full width inside, with 32 groups, after ResNeXt."""

    groups = 32
    reduction = 1


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "BasicBlock": BasicBlock,
    "Bottleneck": Bottleneck,
    "BottleneckX": BottleneckX,
}


class Root(nn.Module):
    """Aggregation node: everything that arrives, concatenated, through a 1x1 convolution."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Maps of one size with ``in_channels`` together -> (N, channels, H, W)."""
        out: Tensor = self.relu(self.bn(self.conv(torch.cat(list(inputs), dim=1))))
        return out


class Tree(nn.Module):
    """Hierarchical aggregation of ``2 ** depth`` blocks.

    Args:
        depth: levels below this node; 1 means that both subtrees are blocks.
        block: what the leaves are.
        in_channels: channels in.
        channels: channels out.
        stride: between input and output.
        aggregate_input: the (pooled) input goes to the root too.
        extra_channels: channels of ``earlier``, the maps that come from trees further up.
    """

    def __init__(
        self,
        depth: int,
        block: type[BasicBlock] | type[Bottleneck],
        in_channels: int,
        channels: int,
        stride: int = 1,
        aggregate_input: bool = False,
        extra_channels: int = 0,
    ) -> None:
        super().__init__()
        self.depth = depth
        self.aggregate_input = aggregate_input
        if aggregate_input:
            extra_channels += in_channels
        if depth == 1:
            self.tree1: nn.Module = block(in_channels, channels, stride)
            self.tree2: nn.Module = block(channels, channels)
            self.root = Root(2 * channels + extra_channels, channels)
        else:
            self.tree1 = Tree(depth - 1, block, in_channels, channels, stride)
            self.tree2 = Tree(
                depth - 1, block, channels, channels, extra_channels=extra_channels + channels
            )
        # Rounded up as strided convolutions do it, so that odd sizes fit together.
        self.downsample = nn.MaxPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
        # Published weights hold it for outer trees as well, which never use it.
        self.project = (
            nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
            if in_channels != channels
            else nn.Identity()
        )

    def forward(self, x: Tensor, earlier: Sequence[Tensor] = ()) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H/stride, W/stride)."""
        bottom = self.downsample(x)
        gathered = [*earlier, bottom] if self.aggregate_input else list(earlier)
        if self.depth > 1:
            first = self.tree1(x)
            out: Tensor = self.tree2(first, [*gathered, first])
            return out
        first = self.tree1(x, self.project(bottom))
        second = self.tree2(first)
        return self.root([second, first, *gathered])


@BACKBONES.register_module()
class DLA(BaseBackbone):
    """DLA with its classifier, a biased 1x1 convolution after average pooling.

    Args:
        levels: convolutions of levels 0 and 1, then the depths of the trees of levels 2 to 5.
        channels: channels of the six levels.
        block: ``BasicBlock`` (DLA-34), ``Bottleneck`` (DLA-60) or ``BottleneckX`` (DLA-X-60).
        num_classes: classes of the classifier.
        init_cfg: how to initialise, in mmcv's form.

    Raises:
        ValueError: an unknown block, or not six levels with six widths.
    """

    def __init__(
        self,
        levels: Sequence[int],
        channels: Sequence[int],
        block: str = "BasicBlock",
        num_classes: int = 1000,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or [
                {"type": "Kaiming", "layer": ["Conv2d"]},
                {"type": "Constant", "val": 1, "layer": ["_BatchNorm"]},
            ]
        )
        if block not in BLOCKS:
            raise ValueError(f"DLA has no block {block!r}; there are {', '.join(BLOCKS)}")
        if len(levels) != 6 or len(channels) != 6:
            raise ValueError(
                f"DLA takes six levels and six channels, not {len(levels)} and {len(channels)}"
            )
        width = channels[0]
        self.base_layer = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.level0 = _plain_level(channels[0], channels[0], levels[0], stride=1)
        self.level1 = _plain_level(channels[0], channels[1], levels[1], stride=2)
        trees = [
            Tree(
                levels[i],
                BLOCKS[block],
                channels[i - 1],
                channels[i],
                stride=2,
                aggregate_input=i > 2,
            )
            for i in range(2, 6)
        ]
        self.level2, self.level3, self.level4, self.level5 = trees
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Conv2d(channels[5], num_classes, 1)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(N, 3, H, W) normalised images -> ``(logits,)``, logits (N, num_classes)."""
        x = self.level1(self.level0(self.base_layer(x)))
        for tree in (self.level2, self.level3, self.level4, self.level5):
            x = tree(x)
        return (self.fc(self.avgpool(x)).flatten(1),)


def _conv3x3(in_channels: int, channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, groups=groups, bias=False)


def _plain_level(in_channels: int, channels: int, convs: int, stride: int) -> nn.Sequential:
    """``convs`` 3x3 convolutions, the first with the stride."""
    layers: list[nn.Module] = []
    for i in range(convs):
        layers += [
            _conv3x3(in_channels if i == 0 else channels, channels, stride if i == 0 else 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
