"""Segmentors give the maps of MMSegmentation's own path, without its copies of all logits."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from mmcv import ConfigDict
from mmseg.models import build_segmentor
from torch import nn

from bdd100k_models.benchmarks.rehearsal import rehearsal
from bdd100k_models.engine.loading import to_device
from bdd100k_models.tasks.class_maps import SegmentationForward

WHOLE = {"mode": "whole"}
SLIDE = {"mode": "slide", "crop_size": (65, 65), "stride": (43, 43)}
NORM = {"type": "BN", "requires_grad": True}


def head(kind: str = "FCNHead", **options: Any) -> dict[str, Any]:
    settings = {
        "type": kind,
        "in_channels": 64,
        "in_index": 3,
        "channels": 16,
        "num_classes": 19,
        "dropout_ratio": 0.1,
        "norm_cfg": NORM,
        "align_corners": False,
    }
    return {**settings, **options}


HEADS: dict[str, Any] = {
    "FCN": head(),
    "align corners": head(align_corners=True),
    "one output": head(num_classes=2, out_channels=1, threshold=0.545),
    "OCR": [
        head(),
        head("OCRHead", ocr_channels=8),
    ],
    "PointRend": [
        head(
            "FPNHead",
            in_channels=[8, 16, 32, 64],
            in_index=[0, 1, 2, 3],
            feature_strides=[4, 8, 16, 32],
        ),
        {
            "type": "PointHead",
            "in_channels": [8],
            "in_index": [0],
            "channels": 16,
            "num_fcs": 1,
            "num_classes": 19,
            "dropout_ratio": -1,
            "coarse_pred_each_layer": True,
            "align_corners": False,
        },
    ],
}
POINTS = {"subdivision_steps": 2, "subdivision_num_points": 64, "scale_factor": 2}


def segmentor(heads: Any, test_cfg: dict[str, Any] | None = None) -> Any:
    """A small seeded network of stride 8, whose maps hold several classes."""
    cascade = {"type": "CascadeEncoderDecoder", "num_stages": 2}
    torch.manual_seed(0)
    network = build_segmentor(
        ConfigDict(
            **(cascade if isinstance(heads, list) else {"type": "EncoderDecoder"}),
            backbone={
                "type": "ResNetV1c",
                "depth": 18,
                "base_channels": 8,
                "stem_channels": 8,
                "strides": (1, 2, 1, 1),
                "dilations": (1, 1, 2, 4),
                "norm_cfg": NORM,
            },
            decode_head=copy.deepcopy(heads),
            test_cfg={**POINTS, **(test_cfg or WHOLE)},
        )
    )
    last = network.decode_head
    for one in last if isinstance(last, nn.ModuleList) else [last]:
        weights = one.fc_seg if hasattr(one, "fc_seg") else one.conv_seg
        nn.init.normal_(weights.weight, std=2.0)
    return network.eval()


def batch(
    sizes: list[tuple[int, int]],
    inner: tuple[int, int] = (72, 104),
    padded: tuple[int, int] = (72, 104),
    views: int = 1,
    **meta: Any,
) -> dict[str, Any]:
    """Pictures of ``sizes`` that a pipeline brought to ``inner`` and padded."""
    random = torch.Generator().manual_seed(1)
    metas = [
        {
            "ori_shape": (*size, 3),
            "img_shape": (*inner, 3),
            "pad_shape": (*padded, 3),
            "flip": False,
            **meta,
        }
        for size in sizes
    ]
    coarse = torch.randn(len(sizes), 3, 9, 13, generator=random)
    images = nn.functional.interpolate(coarse, padded, mode="bicubic")
    return {"img": [images * (view + 1) for view in range(views)], "img_metas": [metas] * views}


def own_maps(network: nn.Module, data: dict[str, Any]) -> list[np.ndarray]:
    """What MMSegmentation gives, one picture at a time."""
    maps = []
    with torch.no_grad():
        for place in range(len(data["img"][0])):
            one = {
                "img": [view[place, None] for view in data["img"]],
                "img_metas": [[view[place]] for view in data["img_metas"]],
            }
            maps += network(return_loss=False, **one)
    return maps


def check(network: Any, data: dict[str, Any], dtype: type = np.uint8) -> list[np.ndarray]:
    wanted = own_maps(network, data)
    with torch.inference_mode():
        found: list[np.ndarray] = SegmentationForward(network)(data)
    assert [one.dtype for one in found] == [dtype] * len(wanted)
    assert [one.shape for one in found] == [one.shape for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one, other)
        assert len(np.unique(one)) > 1
    return found


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("mode", [WHOLE, SLIDE], ids=["whole", "slide"])
def test_the_same_maps(name: str, mode: dict[str, Any]) -> None:
    check(segmentor(HEADS[name], mode), batch([(72, 104)] * 2))


@pytest.mark.parametrize("mode", [WHOLE, SLIDE], ids=["whole", "slide"])
@pytest.mark.parametrize("name", ["FCN", "align corners"])
def test_pictures_that_were_resized_and_padded(name: str, mode: dict[str, Any]) -> None:
    sizes = [(72, 100), (144, 200), (72, 100), (70, 101)]
    found = check(segmentor(HEADS[name], mode), batch(sizes, inner=(72, 100)))
    assert [one.shape for one in found] == sizes


@pytest.mark.parametrize("extent", [(130, 100), (60, 300), (40, 50), (65, 65)])
def test_windows_are_those_of_mmsegmentation(extent: tuple[int, int]) -> None:
    check(segmentor(HEADS["FCN"], SLIDE), batch([extent] * 3, inner=extent, padded=extent))


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_one_flipped_view(direction: str) -> None:
    data = batch([(72, 104)], flip=True, flip_direction=direction)
    (flipped,) = check(segmentor(HEADS["FCN"]), data)
    (plain,) = check(segmentor(HEADS["FCN"]), batch([(72, 104)]))
    assert np.array_equal(np.flip(flipped, 1 if direction == "horizontal" else 0), plain)


def test_augmentation_is_mmsegmentations() -> None:
    check(segmentor(HEADS["FCN"]), batch([(72, 104)] * 2, views=2), dtype=np.int64)


def test_the_network_runs_once_for_all_windows_of_a_picture() -> None:
    network = segmentor(HEADS["FCN"], SLIDE)
    passes: list[int] = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0])))
    forward = SegmentationForward(network)
    with torch.inference_mode():
        forward(batch([(72, 104)], inner=(72, 104)))
        forward(batch([(72, 104)] * 3))
    assert passes == [4, 3, 3, 3, 3]


def test_other_networks_keep_their_path() -> None:
    class Derived(type(segmentor(HEADS["FCN"]))):  # type: ignore[misc]
        def simple_test(self, *_: Any, **__: Any) -> list[np.ndarray]:
            return [np.full((2, 2), 7)]

    network = segmentor(HEADS["FCN"])
    network.__class__ = Derived
    (found,) = SegmentationForward(network)(batch([(72, 104)]))
    assert (found == 7).all()


@pytest.mark.parametrize("mode", [WHOLE, SLIDE], ids=["whole", "slide"])
@pytest.mark.parametrize("name", ["FCN", "OCR"])
def test_a_gpu_is_waited_for_once(name: str, mode: dict[str, Any]) -> None:
    network = segmentor(HEADS[name], mode)
    data = batch([(72, 104)] * 2)
    wanted = own_maps(network, data)
    with rehearsal() as gpus, torch.inference_mode():
        forward = SegmentationForward(network.to("cuda"))
        there = to_device(data, torch.device("cuda"))
        gpus.waits.clear()
        found = forward(there)
        assert gpus.waits.by_kind() == {"copy to the host": 1}
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one, other)
