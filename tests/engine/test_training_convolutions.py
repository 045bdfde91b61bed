"""Convolutions that train faster have the results and gradients of torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bdd100k_models.engine import winograd
from bdd100k_models.engine.training_convolutions import TrainedConv2d, speed_up_training


@pytest.mark.parametrize(
    ("size", "padding", "dilation", "bias"),
    [
        ((16, 24), 1, 1, True),
        ((17, 23), 1, 1, False),
        ((18, 22), 0, 1, True),
        ((20, 21), 2, 2, True),
        ((9, 30), 3, 4, False),
        ((13, 12), 5, 1, True),  # its gradient has no such way
    ],
)
def test_results_and_gradients(
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    padding: int,
    dilation: int,
    bias: bool,
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 5, 3, padding=padding, dilation=dilation, bias=bias).double()
    fast = copy.deepcopy(plain).float()
    speed_up_training(fast)
    assert type(fast) is TrainedConv2d
    taken = []
    monkeypatch.setattr(winograd, "pays", lambda *_: taken.append(1) or True)
    maps = torch.randn(3, 6, *size, dtype=torch.float64)
    inputs = maps.clone().requires_grad_(), maps.float().requires_grad_()
    outputs = plain(inputs[0]), fast(inputs[1])
    torch.testing.assert_close(outputs[1].double(), outputs[0], rtol=0, atol=1e-5)
    weight = torch.randn_like(outputs[0])
    (outputs[0] * weight).sum().backward()
    (outputs[1] * weight.float()).sum().backward()
    assert taken
    pairs = [(inputs[1].grad, inputs[0].grad)]
    pairs += [(a.grad, b.grad) for a, b in zip(fast.parameters(), plain.parameters(), strict=True)]
    for found, wanted in pairs:
        assert found is not None and wanted is not None
        torch.testing.assert_close(
            found.double(), wanted, rtol=0, atol=2e-5 * float(wanted.abs().max())
        )


def test_a_network_keeps_its_state_and_learns_the_same() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 128, 3, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(128, 2, 1),
    )
    fast = copy.deepcopy(plain)
    speed_up_training(fast)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    maps = torch.randn(1, 3, 60, 64)
    assert winograd.fits(fast[3], torch.empty(1, 128, 60, 64))
    for network in (plain, fast):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            network(maps).square().mean().backward()
            optimizer.step()
    for name, wanted in plain.state_dict().items():
        torch.testing.assert_close(fast.state_dict()[name], wanted, rtol=1e-4, atol=1e-5)


def test_frozen_layers_and_other_formats() -> None:
    conv = nn.Conv2d(128, 128, 3, padding=1).requires_grad_(False)
    speed_up_training(conv)
    maps = torch.randn(1, 128, 32, 32)
    assert not conv(maps).requires_grad
    assert conv(maps[:0]).shape == (0, 128, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(maps).dtype == torch.bfloat16
