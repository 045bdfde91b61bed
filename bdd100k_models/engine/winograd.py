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
from fractions import Fraction

import torch
from torch import Tensor

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


def transform_weights(weight: Tensor) -> Tensor:
    """(K, C, 3, 3) -> (36, C, K), of the same format."""
    filters, channels = weight.shape[:2]
    rows = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
    found = rows.new_empty(_IN**2, rows.shape[1])
    for block in range(0, rows.shape[1], _BLOCK):
        part = slice(block, block + _BLOCK)
        found[:, part] = transforms()[1] @ rows[:, part].double()
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
    images, channels, height, width = input.shape
    filters = weights.shape[2]
    out_height = height + 2 * (padding[0] - dilation)
    out_width = width + 2 * (padding[1] - dilation)
    rows = math.ceil(out_height / (_OUT * dilation))  # of tiles, in each phase
    columns = math.ceil(out_width / (_OUT * dilation))
    padded = _pad(
        input.permute(0, 2, 3, 1),
        padding,
        ((rows * _OUT + 2) * dilation, (columns * _OUT + 2) * dilation),
    )
    out = input.new_empty(images, out_height, out_width, filters)
    summand = None if other is None else other.permute(0, 2, 3, 1)
    to_tiles, _, from_tiles = (matrix.to(input.dtype) for matrix in transforms())
    by_image, by_row, by_column, _ = padded.stride()

    row_bytes = 4 * _IN**2 * dilation * columns * (channels + filters)
    strip_bytes = max(_STRIP_BYTES, weights.numel() * weights.element_size())
    strip = max(1, min(rows, strip_bytes // row_bytes))
    together = max(1, min(images, strip_bytes // (row_bytes * rows))) if dilation == 1 else 1
    for first in range(0, images, together):
        count = min(together, images - first)
        for phase in range(dilation):
            for top in range(0, rows, strip):
                depth = min(strip, rows - top)
                start = phase + dilation * _OUT * top
                tiles = padded.as_strided(
                    (_IN, _IN, count, depth, dilation, columns, channels),
                    (
                        dilation * by_row,
                        dilation * by_column,
                        by_image,
                        _OUT * dilation * by_row,
                        by_column,
                        _OUT * dilation * by_column,
                        1,
                    ),
                    first * by_image + start * by_row,
                ).reshape(_IN**2, -1)
                spectrum = torch.mm(to_tiles, tiles).view(_IN**2, -1, channels)
                products = torch.bmm(spectrum, weights).view(_IN**2, -1)
                result = (
                    torch.mm(from_tiles, products)
                    .view(_OUT, _OUT, count, depth, dilation, columns, filters)
                    .permute(2, 3, 0, 5, 1, 4, 6)  # image, row, its line, column, its column, phase
                )
                here = (
                    slice(first, first + count),
                    slice(start, start + _OUT * depth * dilation, dilation),
                )
                place = out[here]
                lines = place.shape[1]
                if lines == _OUT * depth and out_width == _OUT * columns * dilation:
                    tiled = place.view(result.shape)
                    torch.add(result, bias, out=tiled) if bias is not None else tiled.copy_(result)
                else:
                    flat = result.reshape(count, _OUT * depth, -1, filters)[:, :lines, :out_width]
                    torch.add(flat, bias, out=place) if bias is not None else place.copy_(flat)
                if summand is not None:
                    place += summand[here]
                if relu:
                    place.relu_()
    return out.permute(0, 3, 1, 2)


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
