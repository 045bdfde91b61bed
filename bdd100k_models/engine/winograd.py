"""3x3 convolutions by Winograd's minimal filtering: a quarter of the multiplications.

Follows A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016):
F(4x4, 3x3), tiles of six by six inputs that give four by four outputs. The interpolation points
0, 5/8, -5/8, 3/2, -3/2 and infinity keep the rounding of float32 within some ten times that of a
direct convolution, where the paper's 0, 1, -1, 2, -2 lose an order of magnitude more. All steps
are matrix products of torch, over a few rows of tiles at a time, so that what lies between them
stays in the cache.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

#: Outputs and inputs of a tile along one side.
_OUT, _IN = 4, 6

_POINTS = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))

#: What a processor multiplies and adds in the time in which it moves a byte; measured with AVX-512.
_FLOPS_PER_BYTE = 21.0

#: Share of the direct convolution's cost above which it is not worth while.
_WORTH = 0.85

#: With fewer tiles, matrix products are too small to be fast.
_FEW_TILES = 16

#: Bytes of transformed tiles that are worked on at a time.
_STRIP_BYTES = 32 * 2**20

#: Weights that are transformed at a time, in float64.
_BLOCK = 2**16


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients, lowest first, of the product of (x - root)."""
    found = [Fraction(1)]
    for root in roots:
        found = [
            (found[k - 1] if k else Fraction(0)) - (root * found[k] if k < len(found) else 0)
            for k in range(len(found) + 1)
        ]
    return found


def _exact(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


@functools.cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of two-dimensional tiles: inputs (36, 36), weights (36, 9), outputs (16, 36).

    Float64; made by the construction of Cook and Toom, each row scaled by a power of two so that
    no product of the three overweighs.
    """
    finite = [
        [*_polynomial([other for other in _POINTS if other != point]), Fraction(0)]
        for point in _POINTS
    ]
    inputs = _exact([*finite, _polynomial([*_POINTS])])
    weights = torch.zeros(_IN, 3, dtype=torch.float64)
    outputs = torch.zeros(_OUT, _IN, dtype=torch.float64)
    for row, point in enumerate(_POINTS):
        scale = math.prod((point - other for other in _POINTS if other != point), start=Fraction(1))
        weights[row] = _exact([[point**k / scale for k in range(3)]])[0]
        outputs[:, row] = _exact([[point**k for k in range(_OUT)]])[0]
    weights[-1, -1] = outputs[-1, -1] = 1.0
    for row in range(_IN):
        for matrix, sums in ((inputs, weights), (weights, outputs.T)):
            size = 2.0 ** round(math.log2(float(matrix[row].abs().sum())))
            matrix[row] /= size
            sums[row] *= size
    return torch.kron(inputs, inputs), torch.kron(weights, weights), torch.kron(outputs, outputs)


def pays(channels: int, filters: int, height: int, width: int, dilation: int = 1) -> bool:
    """Whether it is faster than a direct convolution that gives maps of this size.

    The number of images has no say, so that an image has the same result in any batch.
    """
    side = _OUT * dilation
    tiles = math.ceil(height / side) * math.ceil(width / side) * dilation**2
    products = 2.0 * _IN**2 * channels * filters * tiles * 1.15
    traffic = 4.0 * _IN**2 * tiles * (3 * channels + 2 * filters)
    direct = 2.0 * 9 * channels * filters * height * width
    return tiles >= _FEW_TILES and products + _FLOPS_PER_BYTE * traffic < _WORTH * direct


def fits(conv: nn.Conv2d, input: Tensor) -> bool:
    """Whether a convolution of maps (N, C, H, W) can go this way, and is faster so."""
    if (
        conv.kernel_size != (3, 3)
        or conv.stride != (1, 1)
        or conv.groups != 1
        or conv.dilation[0] != conv.dilation[1]
        or isinstance(conv.padding, str)
    ):
        return False
    dilation = conv.dilation[0]
    height, width = (
        size + 2 * (padding - dilation)
        for size, padding in zip(input.shape[2:], conv.padding, strict=True)
    )
    return pays(conv.in_channels, conv.out_channels, height, width, dilation)


def transform_weights(weight: Tensor, *, exact: bool = True) -> Tensor:
    """(K, C, 3, 3) -> (36, C, K), of the same format; ``exact``: by way of float64."""
    filters, channels = weight.shape[:2]
    rows = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
    matrix = transforms()[1]
    if not exact:
        return (matrix.to(rows.dtype) @ rows).view(_IN**2, channels, filters)
    found = rows.new_empty(_IN**2, rows.shape[1])
    for block in range(0, rows.shape[1], _BLOCK):
        part = slice(block, block + _BLOCK)
        found[:, part] = matrix @ rows[:, part].double()
    return found.view(_IN**2, channels, filters)


def convolve(
    input: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    padding: tuple[int, int],
    dilation: int,
    *,
    relu: bool,
    other: Tensor | None = None,
) -> Tensor:
    """A 3x3 convolution of stride 1, plus ``other``, through a ReLU where asked.

    Args:
        input: (N, C, H, W) float32, computed in the channels-last layout.
        weights: (36, C, K), of :func:`transform_weights`.
        bias: (K,) or None.
        padding: of rows and columns, with zeros.
        dilation: of both; each of its phases is a convolution without one.
        relu: whether negative results become zero.
        other: (N, K, H', W'), added before the ReLU.

    Returns:
        (N, K, H', W') in the channels-last layout.
    """
    filters = weights.shape[2]
    grid = _Grid(input, padding, dilation, filters, weights.numel() * weights.element_size())
    out = input.new_empty(input.shape[0], *grid.size, filters)
    summand = None if other is None else other.permute(0, 2, 3, 1)
    from_tiles = transforms()[2].to(input.dtype)
    for strip in grid.strips():
        products = torch.bmm(grid.spectrum(strip), weights).view(_IN**2, -1)
        result = (
            torch.mm(from_tiles, products)
            .view(_OUT, _OUT, strip.images, strip.rows, dilation, grid.columns, filters)
            .permute(2, 3, 0, 5, 1, 4, 6)  # image, row, its line, column, its column, phase
        )
        here = grid.place(strip)
        place = out[here]
        lines = place.shape[1]
        if lines == _OUT * strip.rows and out.shape[2] == _OUT * grid.columns * dilation:
            tiled = place.view(result.shape)
            torch.add(result, bias, out=tiled) if bias is not None else tiled.copy_(result)
        else:
            flat = result.reshape(strip.images, _OUT * strip.rows, -1, filters)
            flat = flat[:, :lines, : out.shape[2]]
            torch.add(flat, bias, out=place) if bias is not None else place.copy_(flat)
        if summand is not None:
            place += summand[here]
        if relu:
            place.relu_()
    return out.permute(0, 3, 1, 2)


def weight_gradient(
    input: Tensor, gradient: Tensor, padding: tuple[int, int], dilation: int
) -> Tensor:
    """Gradient of the weights of a 3x3 convolution of stride 1.

    Args:
        input: (N, C, H, W) of the convolution.
        gradient: (N, K, H', W') of what it gave.
        padding, dilation: as :func:`convolve` has them.

    Returns:
        (K, C, 3, 3).
    """
    channels, filters = input.shape[1], gradient.shape[1]
    grid = _Grid(input, padding, dilation, filters, 0)
    whole = grid.rows * _OUT * dilation, grid.columns * _OUT * dilation
    padded = _pad(gradient.permute(0, 2, 3, 1), (0, 0), whole)
    _, to_weights, from_tiles = (matrix.to(input.dtype) for matrix in transforms())
    sums = input.new_zeros(_IN**2, channels, filters)
    for strip in grid.strips():
        tiles = (
            padded[grid.place(strip)]
            .view(strip.images, strip.rows, _OUT, grid.columns, _OUT, dilation, filters)
            .permute(2, 4, 0, 1, 5, 3, 6)
            .reshape(_OUT**2, -1)
        )
        spread = torch.mm(from_tiles.T, tiles).view(_IN**2, -1, filters)
        torch.baddbmm(sums, grid.spectrum(strip).transpose(1, 2), spread, out=sums)
    found = torch.mm(to_weights.T, sums.view(_IN**2, -1)).view(3, 3, channels, filters)
    return found.permute(3, 2, 0, 1).contiguous()


@dataclass(frozen=True)
class _Strip:
    """Rows of tiles of some images, in one phase of a dilated convolution."""

    first: int
    images: int
    phase: int
    top: int
    rows: int


class _Grid:
    """The tiles of a convolution's input.

    Attributes:
        size: height and width of what the convolution gives.
        rows, columns: of tiles, in each phase.
    """

    def __init__(
        self, input: Tensor, padding: tuple[int, int], dilation: int, filters: int, weights: int
    ) -> None:
        """``weights``: bytes that each strip reads besides; they say how small strips may be."""
        images, channels, height, width = input.shape
        self.size = height + 2 * (padding[0] - dilation), width + 2 * (padding[1] - dilation)
        self.rows, self.columns = (math.ceil(side / (_OUT * dilation)) for side in self.size)
        self._images, self._dilation = images, dilation
        self._padded = _pad(
            input.permute(0, 2, 3, 1),
            padding,
            ((self.rows * _OUT + 2) * dilation, (self.columns * _OUT + 2) * dilation),
        )
        self._matrix = transforms()[0].to(input.dtype)
        row_bytes = 4 * _IN**2 * dilation * self.columns * (channels + filters)
        limit = max(_STRIP_BYTES, weights)
        self._depth = max(1, min(self.rows, limit // row_bytes))
        one_phase = dilation == 1
        self._together = max(1, min(images, limit // (row_bytes * self.rows))) if one_phase else 1

    def strips(self) -> Iterator[_Strip]:
        for first in range(0, self._images, self._together):
            images = min(self._together, self._images - first)
            for phase in range(self._dilation):
                for top in range(0, self.rows, self._depth):
                    yield _Strip(first, images, phase, top, min(self._depth, self.rows - top))

    def spectrum(self, strip: _Strip) -> Tensor:
        """Its tiles, transformed: (36, tiles, C)."""
        by_image, by_row, by_column, _ = self._padded.stride()
        channels, step = self._padded.shape[3], self._dilation
        start = strip.phase + step * _OUT * strip.top
        tiles = self._padded.as_strided(
            (_IN, _IN, strip.images, strip.rows, step, self.columns, channels),
            (
                step * by_row,
                step * by_column,
                by_image,
                _OUT * step * by_row,
                by_column,
                _OUT * step * by_column,
                1,
            ),
            strip.first * by_image + start * by_row,
        )
        return torch.mm(self._matrix, tiles.reshape(_IN**2, -1)).view(_IN**2, -1, channels)

    def place(self, strip: _Strip) -> tuple[slice, slice]:
        """Images and lines of the result that it gives."""
        start = strip.phase + self._dilation * _OUT * strip.top
        return (
            slice(strip.first, strip.first + strip.images),
            slice(start, start + _OUT * strip.rows * self._dilation, self._dilation),
        )


def _pad(maps: Tensor, before: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(N, H, W, C) -> (N, *size, C), with zeros around."""
    images, height, width, channels = maps.shape
    top, left = before
    padded = maps.new_empty(images, *size, channels)
    padded[:, :top] = 0
    padded[:, top + height :] = 0
    lines = padded[:, top : top + height]
    lines[:, :, :left] = 0
    lines[:, :, left + width :] = 0
    lines[:, :, left : left + width] = maps
    return padded
