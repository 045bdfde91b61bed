"""psamask, collecting and distributing, through mmcv's wrapper."""

from itertools import product

import pytest
import torch
from mmcv.ops import PSAMask

KINDS = ["collect", "distribute"]


def plain(attention, kind, window):
    count, _, height, width = attention.shape
    half = (window[0] - 1) // 2, (window[1] - 1) // 2
    output = torch.zeros(count, height * width, height, width, dtype=attention.dtype)
    for h, w, i, j in product(range(height), range(width), range(window[0]), range(window[1])):
        y, x = h + i - half[0], w + j - half[1]
        if 0 <= y < height and 0 <= x < width:
            value = attention[:, i * window[1] + j, h, w]
            if kind == "collect":
                output[:, y * width + x, h, w] = value
            else:
                output[:, h * width + w, y, x] = value
    return output


@pytest.mark.parametrize("kind", KINDS)
def test_as_compiled(recorded, device, kind):
    data = recorded(f"psamask_{kind}", device)
    attention = data["input"].requires_grad_()
    output = PSAMask(kind, tuple(data["mask_size"].tolist()))(attention)
    output.backward(data["grad_output"])
    assert torch.equal(output, data["output"])
    assert torch.equal(attention.grad, data["grad_input"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [(1, 1), (3, 5), (4, 2), (9, 11)])
def test_as_the_plain_formula(device, kind, window):
    attention = torch.randn(2, window[0] * window[1], 4, 6)
    output = PSAMask(kind, window)(attention.to(device))
    assert torch.equal(output.cpu(), plain(attention, kind, window))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind):
    attention = torch.randn(1, 15, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(PSAMask(kind, (3, 5)), attention)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves(device, kind, dtype):
    attention = torch.randn(1, 9, 3, 4, device=device).to(dtype).requires_grad_()
    output = PSAMask(kind, (3, 3))(attention)
    assert output.dtype == dtype
    assert torch.equal(output.cpu(), plain(attention.detach().cpu(), kind, (3, 3)))
    output.sum().backward()
    assert attention.grad.dtype == dtype


def test_no_images():
    assert PSAMask("collect", (3, 3))(torch.zeros(0, 9, 2, 2)).shape == (0, 4, 2, 2)
