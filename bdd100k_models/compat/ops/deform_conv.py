"""Deformable convolution, v1 (Dai et al. 2017) and modulated (Zhu et al. 2019)."""

import torchvision
from torch import Tensor
from torch.nn.modules.utils import _pair

from bdd100k_models.compat.ops.dtypes import widen

Pair = int | tuple[int, int]


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    deform_groups: int = 1,
    bias: bool = False,
    im2col_step: int = 32,
) -> Tensor:
    """Convolve with sampling points moved by `offset`.

    Args:
        input: (N, C, H, W).
        offset: (N, deform_groups * 2 * kH * kW, Hout, Wout), dy and dx in pixels.
        weight: (Cout, C / groups, kH, kW).
        stride: along height and width, one number for both; likewise padding and dilation.
        groups: groups of the convolution, which the shape of `weight` says as well.
        deform_groups: channel groups with offsets of their own, as the shape of `offset` says.
        bias: must be false, as of mmcv.
        im2col_step: images per step of the compiled op; changes no result.

    Returns:
        (N, Cout, Hout, Wout) in the type of `offset`, which is what mixed precision leaves in half.

    Raises:
        ValueError: `input` has other than 4 dimensions, or there is a bias.
    """
    if bias:
        raise ValueError("a deformable convolution without a mask has no bias")
    return _convolved(input, offset, None, weight, None, stride, padding, dilation)


def modulated_deform_conv2d(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    deform_groups: int = 1,
) -> Tensor:
    """Deformable convolution whose sampling points also have a weight, `mask`.

    Args:
        input: (N, C, H, W).
        offset: (N, deform_groups * 2 * kH * kW, H', W'). H' and W' may be larger than the output:
            the values are then taken from the flat memory of each image with the strides of the
            output, as `_as_output` says.
        mask: (N, deform_groups * kH * kW, H', W').
        weight: (Cout, C / groups, kH, kW).
        bias: (Cout,).
        stride: along height and width, one number for both; likewise padding and dilation.
        groups: groups of the convolution, which the shape of `weight` says as well.
        deform_groups: channel groups with offsets of their own, as the shape of `offset` says.

    Returns:
        (N, Cout, Hout, Wout) in the type of `offset`.

    Raises:
        ValueError: `input` has other than 4 dimensions, or a map is smaller than the output.
    """
    return _convolved(input, offset, mask, weight, bias, stride, padding, dilation)


def _convolved(
    input: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Tensor:
    """torchvision's op, in a type that it takes."""
    if input.dim() != 4:
        raise ValueError(f"expected input of shape (N, C, H, W), got {tuple(input.shape)}")
    step, pad, reach = _pair(stride), _pair(padding), _pair(dilation)
    kind = offset.dtype
    if mask is not None:
        size = tuple(
            (side + 2 * pad[axis] - reach[axis] * (weight.shape[2 + axis] - 1) - 1) // step[axis]
            + 1
            for axis, side in enumerate(input.shape[2:])
        )
        offset, mask = _as_output(offset, size), _as_output(mask, size).to(kind)
        mask = widen(mask, keep_cuda_half=True)
    if bias is not None:
        bias = widen(bias.to(kind), keep_cuda_half=True)
    features, offset, weight = (
        widen(tensor.to(kind), keep_cuda_half=True) for tensor in (input, offset, weight)
    )
    output = torchvision.ops.deform_conv2d(features, offset, weight, bias, step, pad, reach, mask)
    return output.to(kind)


def _as_output(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Offset or mask maps with the height and width of the output.

    The compiled kernels do not look at the height and width of these maps: they read the memory of
    each image as if it had those of the output. DyHead (Dai et al. 2021) as mmdet builds it passes
    maps of a larger level, and its published weights were trained with what comes of that.

    Args:
        maps: (N, K, H', W').
        size: Hout, Wout of the output.

    Returns:
        (N, K, Hout, Wout).

    Raises:
        ValueError: a map is smaller than the output.
    """
    count, channels = maps.shape[:2]
    if tuple(maps.shape[2:]) == size:
        return maps
    needed = channels * size[0] * size[1]
    if needed > channels * maps.shape[2] * maps.shape[3]:
        raise ValueError(
            f"offset or mask map of {tuple(maps.shape[2:])} is smaller than the output of {size}"
        )
    return maps.reshape(count, -1)[:, :needed].reshape(count, channels, *size)
