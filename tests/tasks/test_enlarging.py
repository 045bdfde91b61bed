"""Maps that are made a few rows at a time have the pixels of the straightforward way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bdd100k_models.benchmarks.rehearsal import rehearsal
from bdd100k_models.tasks.enlarging import Enlargement, Window, class_maps


def smooth(number: int, classes: int, height: int, width: int, seed: int = 0) -> Tensor:
    """(N, C, height, width), as the logits of a network vary from place to place."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randn(number, classes, height // 8 + 2, width // 8 + 2, generator=random)
    fine = torch.randn(number, classes, height, width, generator=random)
    return 4 * F.interpolate(coarse, (height, width), mode="bicubic") + 0.3 * fine


def stretched(logits: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)


def straightforward(windows: list[Window], how: Enlargement) -> Tensor:
    """(N, C, H, W): all logits in full, as MMSegmentation has them."""
    logits = windows[0].logits
    height = max(w.top + w.height for w in windows)
    width = max(w.left + w.width for w in windows)
    total = torch.zeros(*logits.shape[:2], height, width)
    count = torch.zeros(height, width)
    for window in windows:
        place = (
            slice(window.top, window.top + window.height),
            slice(window.left, window.left + window.width),
        )
        size = window.height, window.width
        total[(slice(None), slice(None), *place)] += stretched(
            window.logits.float(), size, how.align_corners
        )
        count[place] += 1
    total = (total / count)[:, :, : how.inner[0], : how.inner[1]]
    return stretched(total, how.size, how.align_corners)


def check(found: Tensor, logits: Tensor) -> None:
    """At most one pixel of 100,000 differs, and there the best two are equal but for rounding."""
    wanted = logits.argmax(dim=1)
    differing = found != wanted
    assert int(differing.sum()) <= wanted.numel() / 1e5
    best = logits.topk(2, dim=1).values.movedim(1, -1)[differing]
    assert (best[:, 0] - best[:, 1] <= 1e-5 * best.abs().amax(dim=1)).all()


def grid(logits: Tensor, tops: list[int], lefts: list[int], size: tuple[int, int]) -> list[Window]:
    """Windows of one size; each has logits of its own."""
    places = [(top, left) for top in tops for left in lefts]
    return [
        Window(logits.roll(number, dims=1), *size, top, left)
        for number, (top, left) in enumerate(places)
    ]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("coarse", "padded", "inner", "size"),
    [
        ((90, 160), (720, 1280), (720, 1280), (720, 1280)),
        ((45, 80), (360, 640), (360, 640), (720, 1280)),
        ((180, 320), (720, 1280), (720, 1280), (333, 591)),
        ((23, 40), (184, 320), (180, 320), (180, 320)),
        ((23, 41), (184, 328), (180, 321), (179, 322)),
        ((72, 128), (72, 128), (72, 128), (72, 128)),
        ((1, 3), (9, 7), (9, 7), (1, 1)),
    ],
    ids=["stride 8", "twice", "smaller", "padded", "padded and resized", "equal", "tiny"],
)
def test_whole_pictures(
    coarse: tuple[int, int],
    padded: tuple[int, int],
    inner: tuple[int, int],
    size: tuple[int, int],
    align_corners: bool,
) -> None:
    windows = [Window(smooth(2, 19, *coarse), *padded)]
    how = Enlargement(inner, size, align_corners)
    found = class_maps(windows, how)
    assert (found.dtype, found.shape) == (torch.uint8, (2, *size))
    check(found, straightforward(windows, how))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(144, 256), (145, 257)])
@pytest.mark.parametrize(
    ("tops", "lefts", "window"),
    [([0], [0, 104], (145, 153)), ([0, 45, 80], [0, 57, 104], (65, 153))],
    ids=["side by side", "three rows"],
)
def test_windows_that_overlap(
    tops: list[int],
    lefts: list[int],
    window: tuple[int, int],
    size: tuple[int, int],
    align_corners: bool,
) -> None:
    windows = grid(smooth(2, 19, 9, 20), tops, lefts, window)
    how = Enlargement((145, 257), size, align_corners)
    check(class_maps(windows, how), straightforward(windows, how))


@pytest.mark.parametrize("size", [(72, 128), (70, 120)])
def test_a_single_class_has_a_threshold(size: tuple[int, int]) -> None:
    windows = [Window(smooth(2, 1, 9, 16), 72, 128)]
    how = Enlargement((72, 128), size, align_corners=False)
    found = class_maps(windows, how, threshold=0.3)
    probabilities = straightforward(windows, how).sigmoid()[:, 0]
    assert torch.equal(found.bool(), probabilities > 0.3)
    assert 0 < found.float().mean() < 1


def test_more_classes_than_a_byte_holds() -> None:
    windows = [Window(smooth(1, 300, 9, 16), 36, 64)]
    how = Enlargement((36, 64), (36, 64), align_corners=False)
    found = class_maps(windows, how)
    assert found.dtype == torch.int16
    check(found, straightforward(windows, how))
    assert found.max() > 255


def test_equal_classes_give_the_first() -> None:
    logits = torch.zeros(1, 5, 4, 4)
    logits[:, 2:] = 1
    how = Enlargement((8, 8), (8, 8), align_corners=False)
    assert (class_maps([Window(logits, 8, 8)], how) == 2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_logits_in_channels_last(dtype: torch.dtype) -> None:
    logits = smooth(2, 19, 18, 32).to(dtype).to(memory_format=torch.channels_last)
    how = Enlargement((144, 256), (144, 256), align_corners=False)
    windows = [Window(logits, 144, 256)]
    check(class_maps(windows, how), straightforward(windows, how))


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("size", [(144, 256), (145, 257)])
def test_a_gpu_is_not_waited_for(windows: int, size: tuple[int, int]) -> None:
    logits = smooth(2, 19, 18, 20)
    with rehearsal() as gpus:
        parts = grid(logits.to("cuda"), [0], [0, 97][:windows], (145, 160 if windows > 1 else 257))
        gpus.waits.clear()
        maps = class_maps(parts, Enlargement((145, 257), size, align_corners=True))
        assert gpus.waits.by_kind() == {}
        found = maps.cpu()
    parts = grid(logits, [0], [0, 97][:windows], (145, 160 if windows > 1 else 257))
    how = Enlargement((145, 257), size, align_corners=True)
    check(found, straightforward(parts, how))
