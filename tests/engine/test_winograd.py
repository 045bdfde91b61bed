"""Winograd's convolutions give what direct ones give, and are taken where they are faster."""

from __future__ import annotations

import pytest
import torch

from bdd100k_models.engine import winograd


def test_transforms_are_exact_on_one_tile() -> None:
    to_tiles, to_weights, from_tiles = winograd.transforms()
    generator = torch.Generator().manual_seed(0)
    tile = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    expected = torch.nn.functional.conv2d(tile[None, None], weight[None, None])
    found = from_tiles @ ((to_tiles @ tile.flatten()) * (to_weights @ weight.flatten()))
    torch.testing.assert_close(found.view(1, 1, 4, 4), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "padding", "dilation"),
    [
        ((16, 32), 1, 1),  # whole tiles
        ((17, 31), 1, 1),  # cut at the end of both sides
        ((5, 3), 1, 1),  # less than a tile
        ((18, 33), 0, 1),
        ((16, 32), 2, 2),
        ((19, 27), 4, 4),
        ((9, 30), 3, 4),  # gets smaller
        ((14, 14), 5, 1),  # gets larger
    ],
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_equals_the_direct_convolution(
    size: tuple[int, int], padding: int, dilation: int, layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(3, 8, *size, generator=generator).contiguous(memory_format=layout)
    weight = torch.randn(5, 8, 3, 3, generator=generator)
    bias = torch.randn(5, generator=generator)
    expected = torch.nn.functional.conv2d(
        maps.double(), weight.double(), bias.double(), padding=padding, dilation=dilation
    )
    other = torch.randn(expected.shape, generator=generator)
    weights = winograd.transform_weights(weight)
    for relu, summand in ((False, None), (True, None), (True, other)):
        found = winograd.convolve(
            maps, weights, bias, (padding, padding), dilation, relu=relu, other=summand
        )
        wanted = expected if summand is None else expected + summand
        wanted = wanted.relu() if relu else wanted
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-4)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_no_bias_and_unequal_padding() -> None:
    generator = torch.Generator().manual_seed(2)
    maps, weight = torch.randn(1, 4, 20, 22, generator=generator), torch.ones(4, 4, 3, 3)
    found = winograd.convolve(maps, winograd.transform_weights(weight), None, (0, 2), 1, relu=False)
    expected = torch.nn.functional.conv2d(maps, weight, padding=(0, 2))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    maps = torch.randn(5, 16, 50, 21, generator=generator)
    weights = winograd.transform_weights(torch.randn(16, 16, 3, 3, generator=generator))
    whole = winograd.convolve(maps, weights, None, (1, 1), 1, relu=False)
    monkeypatch.setattr(winograd, "_STRIP_BYTES", 0)
    parts = winograd.convolve(maps, weights, None, (1, 1), 1, relu=False)
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-5)


def test_rounding_stays_near_that_of_a_direct_convolution() -> None:
    generator = torch.Generator().manual_seed(4)
    maps = torch.randn(1, 256, 40, 40, generator=generator).relu()
    weight = torch.randn(64, 256, 3, 3, generator=generator)
    exact = torch.nn.functional.conv2d(maps.double(), weight.double(), padding=1)
    found = winograd.convolve(maps, winograd.transform_weights(weight), None, (1, 1), 1, relu=False)
    assert float((found - exact).square().mean().sqrt() / exact.square().mean().sqrt()) < 2e-6


def test_an_image_has_the_same_bits_in_any_batch() -> None:
    generator = torch.Generator().manual_seed(6)
    maps = torch.randn(7, 64, 14, 14, generator=generator)
    weights = winograd.transform_weights(torch.randn(64, 64, 3, 3, generator=generator))
    whole = winograd.convolve(maps, weights, None, (1, 1), 1, relu=False)
    for first, end in ((0, 1), (2, 5), (6, 7)):
        part = winograd.convolve(maps[first:end], weights, None, (1, 1), 1, relu=False)
        assert torch.equal(part, whole[first:end])


def test_the_same_bits_for_any_number_of_threads() -> None:
    generator = torch.Generator().manual_seed(5)
    maps = torch.randn(1, 64, 60, 44, generator=generator)
    weights = winograd.transform_weights(torch.randn(64, 64, 3, 3, generator=generator))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(winograd.convolve(maps, weights, None, (1, 1), 1, relu=False))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_taken_where_channels_and_maps_are_many() -> None:
    assert winograd.pays(256, 256, 180, 320)
    assert winograd.pays(2048, 512, 90, 160, dilation=1)
    assert winograd.pays(512, 512, 90, 160, dilation=4)
    assert winograd.pays(256, 256, 14, 14)
    assert not winograd.pays(32, 32, 180, 320)  # moving the tiles costs more than it saves
    assert not winograd.pays(256, 256, 6, 10)  # too few tiles
    assert not winograd.pays(512, 512, 45, 80, dilation=36)  # tiles of nothing but padding
