"""From logits on a coarse grid to a class for every pixel, without the full-size logits.

Packages enlarge the logits of all classes to the picture and look for the greatest then. On a CPU
those 70 MB (19 classes, 720x1280) cost more than the arithmetic: here each class is enlarged a few
rows at a time, which stay in the cache, beside the greatest value so far. Coordinates and weights
are those of ``F.interpolate(..., mode="bilinear")``, the last bits of a sum are not: a pixel can
differ where two classes are equal but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

#: Pixels that are worked on together: those of few classes fit into the cache, and torch does not
#: split so few among threads, which would wait for each other longer than they work.
_BLOCK = 32_000


@dataclass(frozen=True)
class Window:
    """A part of each picture, and what a network says of it.

    Attributes:
        logits: (N, C, h, w) floats, stretched over the part.
        height, width: size of the part, pixels.
        top, left: its place.
    """

    logits: Tensor
    height: int
    width: int
    top: int = 0
    left: int = 0


@dataclass(frozen=True)
class Enlargement:
    """How logits become a map.

    Attributes:
        inner: height and width of the pictures that the windows lie in; what windows have beyond
            is padding.
        size: height and width of the maps; where they are not ``inner``, the mean of the windows
            is resized once more.
        align_corners: as of ``F.interpolate``.
    """

    inner: tuple[int, int]
    size: tuple[int, int]
    align_corners: bool


@torch.no_grad()
def class_maps(
    windows: Sequence[Window], how: Enlargement, threshold: float | None = None
) -> Tensor:
    """The class with the greatest logit for each pixel, the first of those that are equal.

    Logits are enlarged to each window, windows that overlap are averaged, what lies beyond
    ``how.inner`` is cut off, and the rest enlarged to ``how.size``.

    Args:
        windows: a grid that covers all of ``how.inner``.
        how: the sizes.
        threshold: for a single class: 1 where its probability is greater, else 0.

    Returns:
        (N, H, W) uint8 on the device of the logits, int16 for more than 255 classes. Nothing here
        makes the host wait for it.
    """
    first = windows[0].logits
    dtype = torch.uint8 if first.shape[1] <= 255 else torch.int16
    maps = torch.empty((len(first), *how.size), dtype=dtype, device=first.device)
    fill = _fill_by_rows if first.device.type == "cpu" else _fill_at_once
    for place, out in enumerate(maps):
        own = [Window(w.logits[place].float(), w.height, w.width, w.top, w.left) for w in windows]
        fill(out, own, how, threshold)
    return maps


# -- on a GPU -------------------------------------------------------------------------------------


def _fill_at_once(
    out: Tensor, windows: Sequence[Window], how: Enlargement, threshold: float | None
) -> None:
    """One picture: the logits of its windows are (C, h, w)."""
    logits = _resized(windows[0].logits, (windows[0].height, windows[0].width), how)
    if len(windows) > 1:
        logits = _mean(windows, how)
    logits = logits[:, : how.inner[0], : how.inner[1]]
    if how.inner != how.size:
        logits = _resized(logits, how.size, how)
    if threshold is not None:
        out.copy_(logits[0].sigmoid() > threshold)
    else:
        out.copy_(logits.argmax(dim=0))


def _mean(windows: Sequence[Window], how: Enlargement) -> Tensor:
    total = windows[0].logits.new_zeros((len(windows[0].logits), *how.inner))
    count = total.new_zeros(how.inner)
    for window in windows:
        part = _resized(window.logits, (window.height, window.width), how)
        place = _place(window)
        of_all_classes = (slice(None), *place)
        inside = total[of_all_classes]
        inside += part[:, : inside.shape[1], : inside.shape[2]]
        count[place] += 1
    return total.div_(count)


def _place(window: Window) -> tuple[slice, slice]:
    return (
        slice(window.top, window.top + window.height),
        slice(window.left, window.left + window.width),
    )


def _resized(logits: Tensor, size: tuple[int, int], how: Enlargement) -> Tensor:
    return F.interpolate(logits[None], size, mode="bilinear", align_corners=how.align_corners)[0]


# -- on a CPU -------------------------------------------------------------------------------------


def _fill_by_rows(
    out: Tensor, windows: Sequence[Window], how: Enlargement, threshold: float | None
) -> None:
    """One picture: the logits of its windows are (C, h, w)."""
    source = _Rows(windows, how)
    height, width = how.size
    step = max(1, _BLOCK // width)
    for begin in range(0, height, step):
        end = min(begin + step, height)
        if threshold is not None:
            out[begin:end].copy_(source(0, begin, end).sigmoid() > threshold)
        else:
            out[begin:end].copy_(_greatest(source, len(windows[0].logits), begin, end))


def _greatest(source: _Rows, classes: int, begin: int, end: int) -> Tensor:
    """(rows, W) float32: the class of the greatest value.

    Floats all along: comparisons that write bytes, and selections by them, are several times as
    slow.
    """
    best = source(0, begin, end)
    index, above = torch.zeros_like(best), torch.empty_like(best)
    numbers = torch.arange(classes, dtype=torch.float32)
    for number in range(1, classes):
        values = source(number, begin, end)
        torch.gt(values, best, out=above)
        torch.maximum(best, values, out=best)
        torch.lerp(index, numbers[number], above, out=index)
    return index


class _Rows:
    """Enlarged logits of a picture, computed as they are asked for.

    All that is horizontal is done beforehand, on the few rows that the logits have.
    """

    def __init__(self, windows: Sequence[Window], how: Enlargement) -> None:
        bands: dict[int, list[Window]] = {}
        for window in windows:
            bands.setdefault(window.top, []).append(window)
        self._bands = [
            (top, _wide(band, how), _Between(len(band[0].logits[0]), band[0].height, how))
            for top, band in bands.items()
        ]
        self._count = torch.zeros(how.inner[0], 1)
        for top, _, between in self._bands:
            self._count[top : top + between.rows] += 1
        self._again = None
        if how.inner != how.size:
            self._again = _Between(how.inner[0], how.size[0], how)

    def __call__(self, channel: int, begin: int, end: int) -> Tensor:
        """(end - begin, W) of a class."""
        if self._again is None:
            return self._inner(channel, begin, end)
        first, last = self._again.needed(begin, end)
        return self._again(self._inner(channel, first, last), begin, end, offset=first)

    def _inner(self, channel: int, begin: int, end: int) -> Tensor:
        if len(self._bands) == 1:
            _, wide, between = self._bands[0]
            return between(wide[channel], begin, end)
        total = torch.zeros(end - begin, self._bands[0][1].shape[2])
        for top, wide, between in self._bands:
            first, last = max(begin, top), min(end, top + between.rows)
            if first < last:
                total[first - begin : last - begin] += between(
                    wide[channel], first - top, last - top
                )
        return total.div_(self._count[begin:end])


def _wide(band: Sequence[Window], how: Enlargement) -> Tensor:
    """(C, h, W): windows side by side, in their final width but their own height."""
    parts = [
        _resized(window.logits.contiguous(), (window.logits.shape[1], window.width), how)
        for window in band
    ]
    wide = parts[0]
    if len(band) > 1:
        right = max(window.left + window.width for window in band)
        wide, count = wide.new_zeros((*wide.shape[:2], right)), wide.new_zeros(right)
        for window, part in zip(band, parts, strict=True):
            wide[..., window.left : window.left + window.width] += part
            count[window.left : window.left + window.width] += 1
        wide /= count
    wide = wide[..., : how.inner[1]].contiguous()
    return wide if how.inner == how.size else _resized(wide, (wide.shape[1], how.size[1]), how)


class _Between:
    """Rows of an image of one height from those of another: bilinear, vertically.

    The positions are those of ``F.interpolate``, in single precision as there.
    """

    def __init__(self, source: int, target: int, how: Enlargement) -> None:
        self.rows = target
        places = torch.arange(target, dtype=torch.float32)
        if how.align_corners:
            places *= torch.tensor((source - 1) / max(target - 1, 1), dtype=torch.float32)
        else:
            places.add_(0.5).mul_(torch.tensor(source / target, dtype=torch.float32))
            places.sub_(0.5).clamp_(min=0)
        self._above = places.long().clamp_(max=source - 1)
        self._below = (self._above + 1).clamp_(max=source - 1)
        self._weight = (places - self._above).clamp_(0, 1)[:, None]

    def needed(self, begin: int, end: int) -> tuple[int, int]:
        """First row of the source that rows ``begin`` to ``end`` are made of, and last + 1."""
        return int(self._above[begin]), int(self._below[end - 1]) + 1

    def __call__(self, source: Tensor, begin: int, end: int, offset: int = 0) -> Tensor:
        """Rows ``begin`` to ``end``; the source begins at its row ``offset``."""
        above, below = self._above[begin:end], self._below[begin:end]
        if offset:
            above, below = above - offset, below - offset
        return torch.lerp(
            source.index_select(0, above), source.index_select(0, below), self._weight[begin:end]
        )
