"""Pasting box by box gives the bits of MMDetection's pasting into full images."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from mmcv import ConfigDict
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from mmdet.models.seg_heads.panoptic_fusion_heads import HeuristicFusionHead

from bdd100k_models import build_model, load_config
from bdd100k_models.frames.instance import CroppedMask
from bdd100k_models.tasks.mask_pasting import (
    crop_instance_masks,
    crop_panoptic_masks,
    paste_masks,
)

HEIGHT, WIDTH = 90, 160


def full(mask: CroppedMask, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    image = np.zeros((height, width), dtype=np.bool_)
    rows, columns = mask.crop.shape
    image[mask.y : mask.y + rows, mask.x : mask.x + columns] = mask.crop
    return image


def random_boxes(number: int, seed: int = 0) -> torch.Tensor:
    """(N, 5) x1 y1 x2 y2 score, within the image, some tiny, some of the image's whole extent."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, (WIDTH * 0.9, HEIGHT * 0.9), (number, 2))
    extent = rng.uniform(0.5, 90, (number, 2))
    last = np.minimum(first + extent, (WIDTH, HEIGHT))
    boxes = np.concatenate([first, last, rng.uniform(0, 1, (number, 1))], axis=1)
    boxes[0, :4] = 0, 0, WIDTH, HEIGHT
    return torch.tensor(boxes, dtype=torch.float32)


def random_logits(number: int, classes: int, seed: int = 0) -> torch.Tensor:
    """(N, classes, 28, 28), smooth."""
    coarse = torch.randn(number, classes, 5, 5, generator=torch.Generator().manual_seed(seed)) * 4
    return torch.nn.functional.interpolate(coarse, size=(28, 28), mode="bicubic")


@pytest.mark.parametrize("as_array", [False, True], ids=["logits", "merged stages"])
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_mask_head_gives_the_same_bits(as_array: bool, class_agnostic: bool) -> None:
    head = FCNMaskHead(num_convs=0, num_classes=8, class_agnostic=class_agnostic)
    boxes, labels = random_boxes(40)[:, :4], torch.arange(40) % 8
    grids = random_logits(40, 1 if class_agnostic else 8)
    arguments: dict[str, Any] = {
        "mask_pred": grids.sigmoid().numpy() if as_array else grids,
        "det_bboxes": boxes * 1.5,
        "det_labels": labels,
        "rcnn_test_cfg": ConfigDict(mask_thr_binary=0.5),
        "ori_shape": (HEIGHT, WIDTH, 3),
        "scale_factor": torch.tensor([1.5] * 4),
        "rescale": True,
    }
    other = copy.deepcopy(head)
    wanted = head.get_seg_masks(**arguments)
    crop_instance_masks(torch.nn.Sequential(head))
    found = head.get_seg_masks(**arguments)
    assert [len(masks) for masks in found] == [len(masks) for masks in wanted] == [5] * 8
    cropped = [mask for masks in found for mask in masks]
    for mask, wanted_mask in zip(cropped, itertools.chain(*wanted), strict=True):
        assert np.array_equal(full(mask), wanted_mask)
    assert sum(mask.crop.size for mask in cropped) < 40 * HEIGHT * WIDTH / 3
    # Heads of other models are as they were.
    assert np.array_equal(other.get_seg_masks(**arguments), wanted)


def test_pasting_over_the_full_image_has_nothing_far_from_the_box() -> None:
    boxes, grids = random_boxes(40, seed=1)[:, :4], random_logits(40, 1, seed=1).sigmoid()
    wanted = _do_paste_mask(grids, boxes, HEIGHT, WIDTH, skip_empty=False)[0] >= 0.5
    found = paste_masks(grids[:, 0], boxes, HEIGHT, WIDTH, 0.5)
    assert np.array_equal(np.stack([full(mask) for mask in found]), wanted.numpy())


@pytest.mark.parametrize(
    ("box", "size"),
    [((5, 5, 5, 5), (2, 2)), ((-20, 0, -10, 9), (10, 0)), ((158, 88, 160, 90), (3, 3))],
    ids=["no area", "outside", "corner"],
)
def test_boxes_at_the_limits(box: tuple[int, ...], size: tuple[int, int]) -> None:
    (mask,) = paste_masks(
        torch.ones(1, 28, 28), torch.tensor([box], dtype=torch.float32), HEIGHT, WIDTH, 0.5
    )
    assert mask.crop.shape == size
    assert mask.y + mask.crop.shape[0] <= HEIGHT


def test_no_boxes() -> None:
    assert paste_masks(torch.zeros(0, 28, 28), torch.zeros(0, 4), HEIGHT, WIDTH, 0.5) == []


def fusion_head(**cfg: Any) -> HeuristicFusionHead:
    settings = {"mask_thr_binary": 0.5, "mask_overlap": 0.5, "stuff_area_limit": 500, **cfg}
    return HeuristicFusionHead(
        num_things_classes=10, num_stuff_classes=30, test_cfg=ConfigDict(settings)
    )


class PanopticStub(torch.nn.Module):
    """As much of a Panoptic FPN as the fusion needs."""

    def __init__(self, fusion: HeuristicFusionHead) -> None:
        super().__init__()
        self.panoptic_fusion_head = fusion
        self.semantic_head = torch.nn.Identity()


@pytest.mark.parametrize("number", [0, 1, 30])
@pytest.mark.parametrize("overlap", [0.2, 0.5])
def test_fusion_gives_the_same_map(number: int, overlap: float) -> None:
    fusion = fusion_head(mask_overlap=overlap)
    boxes = random_boxes(max(number, 1), seed=2)[:number]
    labels = torch.arange(number) % 10
    grids = random_logits(max(number, 1), 1, seed=2)[:number].sigmoid()
    semantic = torch.nn.functional.interpolate(
        torch.randn(1, 31, 4, 7, generator=torch.Generator().manual_seed(3)), size=(HEIGHT, WIDTH)
    )[0]
    if number:
        masks = _do_paste_mask(grids, boxes[:, :4], HEIGHT, WIDTH, skip_empty=False)[0]
    else:
        masks = torch.zeros(0, HEIGHT, WIDTH)
    wanted = fusion.simple_test(boxes, labels, masks, semantic.clone())
    cropped = paste_masks(grids[:, 0], boxes[:, :4], HEIGHT, WIDTH, 0.5)
    crop_panoptic_masks(PanopticStub(fusion))
    found = fusion.simple_test(boxes, labels, cropped, semantic.argmax(dim=0).to(torch.uint8))
    assert torch.equal(found.long(), wanted)
    assert len(found.unique()) > 5
    assert 40 in found
    assert bool((found >= 1000).any()) == (number > 0)


def test_a_whole_panoptic_model_gives_the_same_map() -> None:
    cfg = load_config("panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k")
    cfg.model.test_cfg.panoptic.update(score_thr=0.01, stuff_area_limit=64)
    torch.manual_seed(0)
    model = build_model(cfg)
    shape = (96, 160, 3)
    meta = {
        "img_shape": shape,
        "ori_shape": (75, 125, 3),
        "pad_shape": shape,
        "scale_factor": np.array([1.28] * 4, dtype=np.float32),
        "flip": False,
        "filename": "a.jpg",
    }
    image = torch.randn(2, 3, 96, 160)
    inputs = {"img": [image], "img_metas": [[meta, meta]], "return_loss": False, "rescale": True}
    with torch.no_grad():
        wanted = model(**inputs)
        crop_panoptic_masks(model)
        found = model(**inputs)
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one["pan_results"], other["pan_results"])
        assert one["pan_results"].shape == (75, 125)
        assert (one["pan_results"] >= 1000).any()


def test_semantic_maps_of_padded_and_resized_pictures_are_those_of_the_head() -> None:
    model = build_model(load_config("panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k"))
    head = model.semantic_head
    maps = tuple(torch.randn(2, 256, 96 // n, 160 // n) for n in (4, 8, 16, 32))
    for inner, size in (((90, 160), (90, 160)), ((90, 152), (180, 304)), ((96, 160), (75, 125))):
        meta = {"pad_shape": (96, 160, 3), "img_shape": (*inner, 3), "ori_shape": (*size, 3)}
        with torch.no_grad():
            wanted = type(head).simple_test(head, maps, [meta] * 2, rescale=True).argmax(dim=1)
            crop_panoptic_masks(model)
            found = head.simple_test(maps, [meta] * 2, rescale=True)
        assert found.dtype == torch.uint8
        assert torch.equal(found, wanted)
        assert len(found.unique()) > 5
