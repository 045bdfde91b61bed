"""mmdet's RoI extractor without what training needs, against mmdet's own."""

import inspect

import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor

STRIDES = (4, 8, 16, 32)
#: mmdet's own, which the bridge keeps for training.
OWN = inspect.getclosurevars(SingleRoIExtractor.forward).nonlocals["original"]


@pytest.fixture
def extractor():
    layer = {"type": "RoIAlign", "output_size": 7, "sampling_ratio": 0}
    return SingleRoIExtractor(layer, out_channels=3, featmap_strides=list(STRIDES))


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 3, 128 // s, 160 // s, generator=generator) for s in STRIDES)


def regions(*sides):
    rois = torch.zeros(len(sides), 5)
    rois[:, 0] = torch.arange(len(sides)) % 2
    rois[:, 1:3] = torch.arange(len(sides))[:, None]
    rois[:, 3:] = rois[:, 1:3] + torch.tensor(sides)[:, None]
    return rois


@pytest.mark.parametrize(
    "sides",
    [(20.0, 600, 30, 120, 300, 21, 130, 240), (20.0, 25, 30), (500.0,), (30.0, 300), ()],
    ids=["all levels", "the lowest", "the highest", "two", "none"],
)
@pytest.mark.parametrize("scale", [None, 1.5])
def test_as_mmdets_own(extractor, features, sides, scale):
    rois = regions(*sides)
    with torch.no_grad():
        assert torch.equal(extractor(features, rois, scale), OWN(extractor, features, rois, scale))


def test_every_level_learns(extractor, features):
    for level in features:
        level.requires_grad_()
    extractor(features, regions(20.0, 25.0)).sum().backward()
    assert features[0].grad.any()
    assert all(level.grad is not None for level in features)


def test_a_level_without_regions_is_not_read(extractor, features):
    rois = regions(20.0, 120)
    with torch.no_grad():
        expected = extractor(features, rois)
        for level in features[2:]:
            level.fill_(torch.nan)
        assert torch.equal(extractor(features, rois), expected)


def test_half_precision_is_pooled_in_full(extractor, features):
    extractor.fp16_enabled = True
    halves = tuple(level.half() for level in features)
    rois = regions(20.0, 120, 500)
    with torch.no_grad():
        pooled = extractor(halves, rois)
        assert pooled.dtype == torch.float16
        assert torch.equal(pooled, OWN(extractor, halves, rois))
