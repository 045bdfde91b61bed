"""Class maps from MMSegmentation's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models.tasks.enlarging import Enlargement, Window, class_maps

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

#: Sliding windows that go through the network together, where one of each picture are fewer.
_WINDOWS = 4


class SegmentationForward:
    """A segmentor on the batches of its test pipeline.

    Gives (H, W) class indices in the size of each picture: uint8 from MMSegmentation's own
    segmentors without test-time augmentation, whose maps are made here; else as they come.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        enlarge_once(network)

    def __call__(self, batch: Any) -> list[Any]:
        # A forward pass enlarges all of its maps to one size, that of the first picture.
        groups = same_of(batch["img_metas"][0], ("ori_shape",))
        maps: list[Any] = [None] * len(batch["img_metas"][0])
        for places in groups:
            part = part_of(batch, places)
            for place, result in zip(places, self.network(return_loss=False, **part), strict=True):
                maps[place] = result
        return maps


def same_of(metas: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[list[int]]:
    """Places of the pictures that agree in ``keys``, which are shapes."""
    places: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, meta in enumerate(metas):
        places.setdefault(tuple(tuple(meta[key]) for key in keys), []).append(place)
    return list(places.values())


def part_of(batch: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
    """Some pictures of a batch of OpenMMLab's test pipelines: ``img`` and ``img_metas``, by view.

    All of them are the batch itself. A list as an index would be sent to a GPU first.
    """
    if len(places) == len(batch["img_metas"][0]):
        return dict(batch)
    return {
        "img": [torch.stack([view[place] for place in places]) for view in batch["img"]],
        "img_metas": [[view[place] for place in places] for view in batch["img_metas"]],
    }


def enlarge_once(network: Any) -> None:
    """From now on ``network`` makes its maps by :func:`~bdd100k_models.tasks.enlarging.class_maps`.

    That holds for ``EncoderDecoder`` and ``CascadeEncoderDecoder`` of MMSegmentation (0.30.0), not
    for classes derived from them, which may do it otherwise, and without test-time augmentation.
    They resize the logits of all classes to the network's input, then to the picture, also where
    that is the same, and take a softmax before they look for the greatest.
    """
    from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder

    if type(network) in (EncoderDecoder, CascadeEncoderDecoder):
        network.simple_test = partial(_simple_test, network)


def _simple_test(network: Any, img: Tensor, img_metas: list[dict[str, Any]]) -> list[np.ndarray]:
    """Stands in for ``EncoderDecoder.simple_test``: (H, W) uint8 maps.

    ``img``: (N, 3, h, w); the pictures of ``img_metas`` are of one size.
    """
    if network.test_cfg.mode == "slide":
        windows = _slide(network, img, img_metas)
    else:
        windows = [Window(_logits(network, img, img_metas), *img.shape[2:])]
    meta = img_metas[0]
    how = Enlargement(
        inner=_two(meta["img_shape"]),
        size=_two(meta["ori_shape"]),
        align_corners=network.align_corners,
    )
    maps = class_maps(windows, how, _threshold(network))
    if meta["flip"]:
        maps = maps.flip(dims=(2 if meta["flip_direction"] == "horizontal" else 1,))
    return list(maps.cpu().numpy())


def _two(shape: Sequence[int]) -> tuple[int, int]:
    return int(shape[0]), int(shape[1])


def _heads(network: Any) -> list[Any]:
    """The decode heads of a cascade in their order, or the one that there is."""
    heads = network.decode_head
    return list(heads) if isinstance(heads, torch.nn.ModuleList) else [heads]


def _threshold(network: Any) -> float | None:
    """Of a model with one output, above which a pixel is foreground; None for all others."""
    return float(_heads(network)[-1].threshold) if network.out_channels == 1 else None


def _logits(network: Any, img: Tensor, img_metas: list[dict[str, Any]]) -> Tensor:
    """(N, C, h, w), in the resolution of the last head."""
    features = network.extract_feat(img)
    first, *others = _heads(network)
    logits: Tensor = first.forward_test(features, img_metas, network.test_cfg)
    for head in others:
        logits = head.forward_test(features, logits, img_metas, network.test_cfg)
    return logits


def _slide(network: Any, img: Tensor, img_metas: list[dict[str, Any]]) -> list[Window]:
    """Windows of ``test_cfg.crop_size`` every ``test_cfg.stride`` pixels, the last at the edges."""
    height, width = (
        min(crop, extent)
        for crop, extent in zip(network.test_cfg.crop_size, img.shape[2:], strict=True)
    )
    steps_down, steps_right = network.test_cfg.stride
    places = [
        (top, left)
        for top in _starts(img.shape[2], height, steps_down)
        for left in _starts(img.shape[3], width, steps_right)
    ]
    together = max(1, _WINDOWS // len(img))
    windows = []
    for begin in range(0, len(places), together):
        some = places[begin : begin + together]
        crops = [img[:, :, top : top + height, left : left + width] for top, left in some]
        logits = _logits(network, torch.cat(crops), img_metas * len(some))
        windows += [
            Window(own, height, width, top, left)
            for own, (top, left) in zip(logits.split(len(img)), some, strict=True)
        ]
    return windows


def _starts(extent: int, window: int, step: int) -> list[int]:
    """Where windows begin along a side."""
    count = max(extent - window + step - 1, 0) // step + 1
    return [min(place * step, extent - window) for place in range(count)]
