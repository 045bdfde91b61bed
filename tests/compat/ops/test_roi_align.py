"""roi_align with average and with maximum pooling, through mmcv's wrapper."""

from functools import partial
from itertools import product
from math import ceil, floor

import pytest
import torch
import torchvision
from mmcv.ops import RoIAlign, roi_align

CASES = list(product(["avg", "max"], [0, 2], ["aligned", "legacy"]))


def bilinear(plane, y, x):
    height, width = len(plane), len(plane[0])
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = max(y, 0.0), max(x, 0.0)
    top, left = min(floor(y), height - 1), min(floor(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, along = min(y, height - 1) - top, min(x, width - 1) - left
    upper = plane[top][left] * (1 - along) + plane[top][right] * along
    lower = plane[bottom][left] * (1 - along) + plane[bottom][right] * along
    return upper * (1 - down) + lower * down


def plain_roi_align(features, rois, size, scale, ratio, mode, aligned):
    output = torch.zeros(len(rois), features.shape[1], *size, dtype=torch.float64)
    shift = 0.5 if aligned else 0.0
    for index, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - shift for value in corners)
        height, width = y2 - y1, x2 - x1
        if not aligned:
            height, width = max(height, 1.0), max(width, 1.0)
        step_y, step_x = height / size[0], width / size[1]
        rows, columns = ratio or ceil(step_y), ratio or ceil(step_x)
        for channel, row, column in product(
            range(features.shape[1]), range(size[0]), range(size[1])
        ):
            plane = features[int(image), channel].tolist()
            samples = [
                bilinear(
                    plane,
                    y1 + (row + (i + 0.5) / rows) * step_y,
                    x1 + (column + (j + 0.5) / columns) * step_x,
                )
                for i in range(rows)
                for j in range(columns)
            ]
            value = max(samples) if mode == "max" else sum(samples) / len(samples)
            output[index, channel, row, column] = value
    return output


@pytest.mark.parametrize(("mode", "ratio", "alignment"), CASES)
def test_as_compiled(recorded, device, mode, ratio, alignment):
    data = recorded(f"roi_align_{mode}_sr{ratio}_{alignment}", device)
    features = data["input"].requires_grad_()
    size = tuple(data["output_size"].tolist())
    scale = data["spatial_scale"].item()
    output = roi_align(features, data["rois"], size, scale, ratio, mode, alignment == "aligned")
    output.backward(data["grad_output"])
    torch.testing.assert_close(output, data["output"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(features.grad, data["grad_input"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("mode", "ratio", "alignment"), CASES)
def test_as_the_plain_formula(device, mode, ratio, alignment):
    features = torch.randn(2, 3, 7, 11)
    rois = torch.tensor(
        [[0, 1.3, 2.1, 15.2, 9.4], [1, 0, 0, 21.9, 13.7], [1, -5, -6, 4, 3], [0, 18, 9, 30, 25.0]]
    )
    arguments = ((3, 5), 0.5, ratio, mode, alignment == "aligned")
    output = roi_align(features.to(device), rois.to(device), *arguments)
    expected = plain_roi_align(features, rois, *arguments)
    torch.testing.assert_close(output.cpu().double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("ratio", "alignment"), list(product([0, 1, 2, 5], ["aligned", "legacy"])))
def test_channels_last_is_the_same(ratio, alignment):
    """The way of inference on a CPU; regions of many sizes, inside, across and beyond the map."""
    torch.manual_seed(0)
    features = torch.randn(2, 8, 40, 61)
    corners = torch.rand(300, 2) * torch.tensor([600.0, 400.0]) - 60
    sizes = torch.rand(300, 2) ** 3 * 500 - 5  # some are turned around
    image = torch.randint(2, (300, 1)).float()
    huge = torch.tensor([[1, -9e3, -5e3, 9e3, 6e3], [0, 3, 3, 3, 3]])
    rois = torch.cat([torch.cat([image, corners, corners + sizes], dim=1), huge])
    arguments = (rois, (7, 5), 0.125, ratio, "avg", alignment == "aligned")
    plain = roi_align(features, *arguments)
    pooled = roi_align(features.contiguous(memory_format=torch.channels_last), *arguments)
    torch.testing.assert_close(pooled, plain, rtol=1e-5, atol=1e-5)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    assert roi_align(features, torch.empty(0, 5), *arguments[1:]).shape == (0, 8, 7, 5)


@pytest.mark.parametrize(("mode", "ratio", "alignment"), CASES)
def test_gradient(mode, ratio, alignment):
    features = torch.randn(1, 2, 5, 7, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor([[0, 0.6, 1.2, 5.3, 4.1], [0, 2, 2, 3, 2.5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: roi_align(x, rois, (2, 3), 1.0, ratio, mode, alignment == "aligned"), features
    )


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves(device, mode, dtype):
    features = torch.randn(1, 4, 9, 9, device=device)
    rois = torch.tensor([[0, 1.0, 1, 6, 7]], device=device)
    expected = RoIAlign((3, 3), 1.0, 0, mode)(features, rois)
    half = features.to(dtype).requires_grad_()
    output = RoIAlign((3, 3), 1.0, 0, mode)(half, rois)
    assert output.dtype == dtype
    torch.testing.assert_close(output.float(), expected, rtol=0.03, atol=0.03)
    output.sum().backward()
    assert half.grad.dtype == dtype
    assert abs(half.grad.float().sum().item() - 36) < 0.5


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_no_rois(device, mode):
    features = torch.randn(1, 4, 9, 9, device=device, requires_grad=True)
    output = roi_align(features, torch.zeros(0, 5, device=device), (3, 2), 1.0, 0, mode)
    assert output.shape == (0, 4, 3, 2)
    output.sum().backward()
    assert not features.grad.any()


def test_roi_without_area_has_no_samples():
    features = torch.ones(1, 1, 4, 4, requires_grad=True)
    roi = torch.tensor([[0, 2.0, 2, 2, 2]])
    assert roi_align(features, roi, (1, 1), 1.0, 0, "avg", True).item() == 0
    output = roi_align(features, roi, (1, 1), 1.0, 0, "max", True)
    assert output.item() == -10000
    output.backward()
    assert not features.grad.any()
    assert roi_align(features, roi, (1, 1), 1.0, 0, "max", False).item() == 1


def driving_regions(count, reach):
    generator = torch.Generator().manual_seed(5)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([330.0, 190]) - 5
    size = torch.rand(count, 2, generator=generator) * reach + 0.1
    image = torch.arange(count)[:, None] % 2
    return torch.cat([image, corner, corner + size], dim=1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("size", "reach"), [((7, 7), 30), ((14, 14), 300), ((3, 5), 2)])
def test_average_without_gradient_as_torchvisions(layout, ratio, aligned, size, reach):
    features = torch.randn(2, 8, 46, 80).to(memory_format=layout)
    rois = driving_regions(60, reach)
    rois[0, 3:] = rois[0, 1:3]  # without area
    rois[1, 3] = rois[1, 1] - 7  # right before left
    rois[2, 1:] -= 1000  # outside
    expected = torchvision.ops.roi_align(features, rois, size, 0.25, ratio or -1, aligned)
    pooled = roi_align(features, rois, size, 0.25, ratio, "avg", aligned)
    torch.testing.assert_close(pooled, expected, rtol=1e-5, atol=5e-6)


def test_average_of_a_region_does_not_depend_on_the_others():
    features, rois = torch.randn(2, 8, 46, 80), driving_regions(60, 90)
    features = features.to(memory_format=torch.channels_last)
    together = roi_align(features, rois, 7, 0.25)
    close = partial(torch.testing.assert_close, rtol=1e-6, atol=2e-6)
    close(roi_align(features, rois[7:8], 7, 0.25), together[7:8])
    close(roi_align(features, rois.flip(0), 7, 0.25).flip(0), together)
