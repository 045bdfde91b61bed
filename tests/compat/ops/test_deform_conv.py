"""Deformable convolution, v1 and modulated, through mmcv's wrappers."""

from itertools import product
from math import floor

import pytest
import torch
from mmcv.ops import DeformConv2d, ModulatedDeformConv2d, deform_conv2d, modulated_deform_conv2d

GEOMETRY = ("stride", "padding", "dilation", "groups", "deform_groups")


def bilinear(plane, y, x):
    height, width = plane.shape
    if not (-1 < y < height and -1 < x < width):
        return torch.zeros((), dtype=plane.dtype)
    top, left = floor(y), floor(x)
    value = torch.zeros((), dtype=plane.dtype)
    for row, column in product((top, top + 1), (left, left + 1)):
        if 0 <= row < height and 0 <= column < width:
            value = value + plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return value


def plain(features, offset, mask, weight, stride, padding, dilation, groups, deform_groups):
    """Loops over everything; offset (N, 2KG, h, w) and mask (N, KG, h, w) of the output's size."""
    count, channels, height, width = features.shape
    filters, per_group, kernel_h, kernel_w = weight.shape
    out_h = (height + 2 * padding - dilation * (kernel_h - 1) - 1) // stride + 1
    out_w = (width + 2 * padding - dilation * (kernel_w - 1) - 1) // stride + 1
    output = torch.zeros(count, filters, out_h, out_w, dtype=features.dtype)
    taps = kernel_h * kernel_w
    for n, f, y, x in product(range(count), range(filters), range(out_h), range(out_w)):
        first = f // (filters // groups) * per_group
        for c, i, j in product(range(per_group), range(kernel_h), range(kernel_w)):
            channel = first + c
            tap = channel // (channels // deform_groups) * taps + i * kernel_w + j
            value = bilinear(
                features[n, channel],
                y * stride - padding + i * dilation + offset[n, 2 * tap, y, x].item(),
                x * stride - padding + j * dilation + offset[n, 2 * tap + 1, y, x].item(),
            )
            if mask is not None:
                value = value * mask[n, tap, y, x]
            output[n, f, y, x] += weight[f, c, i, j] * value
    return output


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_v1_as_compiled(recorded, device):
    data = recorded("deform_conv_s2p1g2dg2", device)
    tensors = {name: data[name].requires_grad_() for name in ("input", "offset", "weight")}
    output = deform_conv2d(*tensors.values(), *(data[name].item() for name in GEOMETRY))
    output.backward(data["grad_output"])
    close(output, data["output"])
    for name, tensor in tensors.items():
        close(tensor.grad, data[f"grad_{name}"])


def test_modulated_as_compiled(recorded, device):
    data = recorded("modulated_deform_conv_s1p1", device)
    names = ("input", "offset", "mask", "weight", "bias")
    tensors = {name: data[name].requires_grad_() for name in names}
    output = modulated_deform_conv2d(*tensors.values(), *(data[name].item() for name in GEOMETRY))
    output.backward(data["grad_output"])
    close(output, data["output"])
    for name, tensor in tensors.items():
        close(tensor.grad, data[f"grad_{name}"])


def test_larger_maps_as_compiled(recorded, device):
    data = recorded("modulated_deform_conv_larger_offset_map", device)
    output = modulated_deform_conv2d(
        data["input"],
        data["offset"],
        data["mask"],
        data["weight"],
        None,
        *(data[name].item() for name in GEOMETRY),
    )
    close(output, data["output"])


def test_larger_maps_are_read_and_trained_flat():
    features, weight = torch.randn(2, 2, 3, 4), torch.randn(3, 2, 3, 3)
    # As DyHead makes them: a slice of the channels, so no contiguous tensor.
    maps = torch.randn(2, 27, 6, 8)
    offset, mask = maps[:, :18].requires_grad_(), maps[:, 18:].requires_grad_()
    output = modulated_deform_conv2d(features, offset, mask, weight, None, 1, 1)
    small_offset, small_mask = torch.empty(2, 18, 3, 4), torch.empty(2, 9, 3, 4)
    for image in range(2):
        small_offset[image] = offset[image].detach().flatten()[: 18 * 12].view(18, 3, 4)
        small_mask[image] = mask[image].detach().flatten()[: 9 * 12].view(9, 3, 4)
    small_offset.requires_grad_()
    small_mask.requires_grad_()
    expected = modulated_deform_conv2d(features, small_offset, small_mask, weight, None, 1, 1)
    close(output, expected)
    close(output, plain(features, small_offset, small_mask, weight, 1, 1, 1, 1, 1))
    by_output = torch.randn_like(output)
    output.backward(by_output)
    expected.backward(by_output)
    for larger, small in ((offset, small_offset), (mask, small_mask)):
        read = small[0].numel()
        close(larger.grad.flatten(1)[:, :read], small.grad.flatten(1))
        assert not larger.grad.flatten(1)[:, read:].any()


def test_smaller_map_is_an_error():
    with pytest.raises(ValueError, match=r"map of \(3, 3\) is smaller than the output of \(4, 4\)"):
        modulated_deform_conv2d(
            torch.zeros(1, 2, 4, 4), torch.zeros(1, 18, 3, 3), torch.zeros(1, 9, 3, 3),
            torch.zeros(2, 2, 3, 3), None, 1, 1,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "deform_groups"),
    [(1, 0, 1, 1, 1), (2, 1, 1, 2, 1), (1, 2, 2, 1, 2), (3, 1, 1, 2, 4)],
)
@pytest.mark.parametrize("modulated", [False, True])
def test_as_the_plain_formula(device, stride, padding, dilation, groups, deform_groups, modulated):
    geometry = (stride, padding, dilation, groups, deform_groups)
    features, weight = torch.randn(3, 4, 7, 9), torch.randn(4, 4 // groups, 3, 3)
    reach = 2 * dilation + 1
    size = [(side + 2 * padding - reach) // stride + 1 for side in (7, 9)]
    offset = torch.randn(3, 18 * deform_groups, *size) * 2
    mask = torch.rand(3, 9 * deform_groups, *size) if modulated else None
    moved = [tensor.to(device) for tensor in (features, offset, weight)]
    if mask is None:
        output = deform_conv2d(*moved, *geometry)
    else:
        output = modulated_deform_conv2d(
            moved[0], moved[1], mask.to(device), moved[2], None, *geometry
        )
    close(output.cpu(), plain(features, offset, mask, weight, *geometry))


def test_v1_gradient():
    features, offset, weight = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 4, 4, 5), (2, 16, 4, 5), (2, 2, 2, 2))
    )
    assert torch.autograd.gradcheck(
        lambda *tensors: deform_conv2d(*tensors, 1, 1, 2, 2, 2), (features, offset, weight)
    )


@pytest.mark.parametrize("larger", [0, 2])
def test_modulated_gradient(larger):
    shapes = ((2, 2, 3, 4), (2, 8, 2 + larger, 3 + larger), (2, 4, 2 + larger, 3 + larger),
              (2, 2, 2, 2), (2,))  # fmt: skip
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(modulated_deform_conv2d, tensors)


def test_gradient_of_some_inputs_only():
    features, offset, weight = (
        torch.randn(1, 2, 5, 5),
        torch.randn(1, 18, 3, 3),
        torch.randn(1, 2, 3, 3),
    )
    everything = [tensor.clone().requires_grad_() for tensor in (features, offset, weight)]
    deform_conv2d(*everything).sum().backward()
    weight.requires_grad_()
    deform_conv2d(features, offset, weight).sum().backward()
    close(weight.grad, everything[2].grad)
    features.requires_grad_()
    deform_conv2d(features, offset, weight.detach()).sum().backward()
    close(features.grad, everything[0].grad)


def test_gradients_twice_through_one_graph():
    tensors = [
        torch.randn(shape, requires_grad=True)
        for shape in ((1, 2, 5, 5), (1, 18, 3, 3), (1, 2, 3, 3))
    ]
    loss = deform_conv2d(*tensors).sum()
    loss.backward(retain_graph=True)
    once = [tensor.grad.clone() for tensor in tensors]
    loss.backward()
    for tensor, grad in zip(tensors, once, strict=True):
        close(tensor.grad, 2 * grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("modulated", [False, True])
def test_halves(device, dtype, modulated):
    layer = (ModulatedDeformConv2d if modulated else DeformConv2d)(4, 6, 3, padding=1).to(device)
    features = torch.randn(2, 4, 6, 7, device=device)
    maps = [torch.randn(2, 18, 6, 7, device=device), torch.rand(2, 9, 6, 7, device=device)]
    maps = maps[: 1 + modulated]
    expected = layer(features, *maps)
    half = features.to(dtype).requires_grad_()
    output = layer.to(dtype)(half, *(tensor.to(dtype) for tensor in maps))
    assert output.dtype == dtype
    torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
    output.sum().backward()
    assert half.grad.dtype == dtype
    assert layer.weight.grad.dtype == dtype
    assert torch.isfinite(layer.weight.grad).all()


def test_batch_larger_than_the_compiled_step():
    layer = DeformConv2d(2, 3, 3, padding=1)
    features, offset = torch.randn(64, 2, 5, 5), torch.randn(64, 18, 5, 5)
    close(layer(features, offset)[40:41], layer(features[40:41], offset[40:41]))
