"""Deformable convolution, v1 (Dai et al. 2017) and modulated (Zhu et al. 2019)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bdd100k_models.compat.ops.dtypes import widen

Geometry = tuple[int, int, int, int, int, int, int, int]


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **geometry: int,
) -> None:
    """Convolve with sampling points moved by `offset`; written to `output`.

    Args:
        input: (N, C, H, W).
        weight: (Cout, C / group, kH, kW).
        offset: (N, deformable_group * 2 * kH * kW, Hout, Wout), dy and dx in pixels.
        output: (N, Cout, Hout, Wout), written.
        columns: scratch of the compiled op, not read here.
        ones: scratch of the compiled op, not read here.
        geometry: `kH`, `kW` of the kernel, stride `dH`, `dW`, padding `padH`, `padW`, `dilationH`,
            `dilationW`; `group`, groups of the convolution; `deformable_group`, channel groups with
            offsets of their own; `im2col_step`, images per step, which changes no result.
    """
    output.copy_(_forward(input, weight, offset, None, None, _geometry(geometry)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Gradients by input and offset, written to `grad_input` and `grad_offset`.

    torchvision computes all gradients in one call, so the one by the weight is left in `columns`
    for `deform_conv_backward_parameters`, which mmcv calls next with the same scratch tensor.
    """
    by_input, by_weight, by_offset, _, _ = _backward(
        grad_output, input, weight, offset, None, None, _geometry(geometry)
    )
    grad_input.copy_(by_input)
    grad_offset.copy_(by_offset)
    columns.resize_(by_weight.shape).copy_(by_weight)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1.0,
    **geometry: int,
) -> None:
    """Gradient by the weight, times `scale`, added to `grad_weight`."""
    if columns.numel():
        by_weight = columns.clone()
        columns.resize_(0)
    else:
        by_weight = _backward(
            grad_output, input, grad_weight, offset, None, None, _geometry(geometry)
        )[1]
    grad_weight.add_(by_weight.to(grad_weight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Deformable convolution whose sampling points also have a weight, `mask`.

    Args:
        input: (N, C, H, W).
        weight: (Cout, C / group, kernel_h, kernel_w).
        bias: (Cout,), or empty where `with_bias` is false.
        ones: scratch of the compiled op, not read here.
        offset: (N, deformable_group * 2 * kernel_h * kernel_w, H', W'). H' and W' may be larger
            than the output: the values are then taken from the flat memory of each image with the
            strides of the output, as `_as_output` says.
        mask: (N, deformable_group * kernel_h * kernel_w, H', W').
        output: (N, Cout, Hout, Wout), written.
        columns: scratch of the compiled op, not read here.
        kernel_h: kernel height; likewise width, stride, padding and dilation.
        group: groups of the convolution.
        deformable_group: channel groups with offsets of their own.
        with_bias: whether `bias` is added.
    """
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group)
    size = output.shape[2:]
    output.copy_(
        _forward(
            input,
            weight,
            _as_output(offset, size),
            _as_output(mask, size),
            bias if with_bias else None,
            geometry,
        )
    )


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Gradients of `modulated_deform_conv_forward`, written to the tensors `grad_*`.

    Values of a larger offset or mask map that the forward pass did not read get no gradient.
    """
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group)
    size = grad_output.shape[2:]
    by_input, by_weight, by_offset, by_mask, by_bias = _backward(
        grad_output,
        input,
        weight,
        _as_output(offset, size),
        _as_output(mask, size),
        bias if with_bias else None,
        geometry,
    )
    grad_input.copy_(by_input)
    grad_weight.copy_(by_weight)
    for grad, part in ((grad_offset, by_offset), (grad_mask, by_mask)):
        flat = part.flatten(1)
        full = grad.new_zeros(grad.shape)
        full.flatten(1)[:, : flat.shape[1]] = flat.to(grad.dtype)
        grad.copy_(full)
    if with_bias:
        grad_bias.copy_(by_bias)


def _geometry(names: Mapping[str, int]) -> Geometry:
    """mmcv's keywords in the order of torchvision's kernel."""
    return (
        names["dH"],
        names["dW"],
        names["padH"],
        names["padW"],
        names["dilationH"],
        names["dilationW"],
        names["group"],
        names["deformable_group"],
    )


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
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    needed = channels * size[0] * size[1]
    if needed > channels * maps.shape[2] * maps.shape[3]:
        raise ValueError(
            f"offset or mask map of {tuple(maps.shape[2:])} is smaller than the output of "
            f"{tuple(size)}"
        )
    return maps.reshape(count, -1)[:, :needed].reshape(count, channels, *size)


def _forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> Tensor:
    """torchvision's kernel; (N, Cout, Hout, Wout) in float32 where it takes no halves."""
    tensors = _kernel_arguments(input, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(*tensors, *geometry, mask is not None)


def _backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> tuple[Tensor, ...]:
    """Gradients by input, weight, offset, mask and bias."""
    tensors = _kernel_arguments(input, weight, offset, mask, bias)
    grad = grad_output.to(tensors[0].dtype).contiguous()
    return torch.ops.torchvision._deform_conv2d_backward(
        grad, *tensors, *geometry, mask is not None
    )


def _kernel_arguments(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """The five tensors of torchvision's kernel, in a type that it takes."""
    features = widen(input, keep_cuda_half=True)
    if mask is None:
        mask = features.new_zeros((features.shape[0], 1))
    if bias is None:
        bias = features.new_zeros(weight.shape[0])
    others = (tensor.to(features.dtype).contiguous() for tensor in (weight, offset, mask, bias))
    return (features.contiguous(), *others)
