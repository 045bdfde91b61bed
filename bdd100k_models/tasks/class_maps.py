"""Class maps from MMSegmentation's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


class SegmentationForward:
    """A segmentor on the batches of its test pipeline.

    Gives (H, W) class indices in the size of each picture.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, batch: Any) -> list[Any]:
        metas = batch["img_metas"][0]
        # A forward pass enlarges all of its maps to one size, that of the first picture.
        maps: list[Any] = [None] * len(metas)
        for places in _by_size(metas):
            part = {
                "img": [view[places] for view in batch["img"]],
                "img_metas": [[view[i] for i in places] for view in batch["img_metas"]],
            }
            for place, result in zip(places, self.network(return_loss=False, **part), strict=True):
                maps[place] = result
        return maps


def _by_size(metas: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Places of the pictures of each original size."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for place, meta in enumerate(metas):
        sizes.setdefault(tuple(meta["ori_shape"]), []).append(place)
    return list(sizes.values())
