"""Sigmoid and softmax focal loss through mmcv's wrappers."""

from math import exp, log

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss

GAMMAS = [0.5, 1.0, 2.0]


def plain_sigmoid(logits, targets, gamma, alpha, weight=None):
    rows = []
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        losses = []
        for index, logit in enumerate(row):
            p = 1 / (1 + exp(-logit))
            if index == target:
                loss = -alpha * (1 - p) ** gamma * log(p)
            else:
                loss = -(1 - alpha) * p**gamma * log(1 - p)
            known = weight is not None and target < len(weight)
            losses.append(loss * (weight[target].item() if known else 1))
        rows.append(losses)
    return torch.tensor(rows)


def plain_softmax(logits, targets, gamma, alpha):
    p = logits.softmax(dim=1)[torch.arange(len(targets)), targets]
    return -alpha * (1 - p) ** gamma * p.log()


@pytest.fixture
def logits():
    return torch.randn(6, 4) * 2


@pytest.fixture
def targets():
    return torch.tensor([0, 3, 4, 1, 2, 4])


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_sigmoid_as_the_plain_formula(device, logits, targets, gamma, reduction):
    loss = sigmoid_focal_loss(
        logits.to(device), targets.to(device), gamma, 0.3, None, reduction
    ).cpu()
    expected = plain_sigmoid(logits, targets, gamma, 0.3)
    if reduction == "sum":
        expected = expected.sum()
    elif reduction == "mean":
        expected = expected.sum() / len(logits)
    torch.testing.assert_close(loss, expected)


def test_sigmoid_with_class_weights(logits, targets):
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    loss = sigmoid_focal_loss(logits, targets, 2.0, 0.25, weight, "none")
    torch.testing.assert_close(loss, plain_sigmoid(logits, targets, 2.0, 0.25, weight))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_sigmoid_gradient(logits, targets, gamma):
    logits = logits.double().requires_grad_()
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: sigmoid_focal_loss(x, targets, gamma, 0.25, weight, "none"), logits
    )


@pytest.mark.parametrize("loss_of", [sigmoid_focal_loss, softmax_focal_loss])
def test_extreme_logits_stay_finite(loss_of):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = loss_of(logits, torch.tensor([0, 0]), 0.5, 0.25, None, "sum")
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss_of", [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves(device, logits, loss_of, dtype):
    targets = torch.tensor([0, 3, 2, 1, 2, 0], device=device)
    exact = loss_of(logits.to(device), targets, 2.0, 0.25, None, "sum")
    half = logits.to(device, dtype).requires_grad_()
    loss = loss_of(half, targets, 2.0, 0.25, None, "sum")
    assert loss.dtype == dtype
    torch.testing.assert_close(loss.float(), exact, rtol=0.05, atol=0.05)
    loss.backward()
    assert half.grad.dtype == dtype


@pytest.mark.parametrize("loss_of", [sigmoid_focal_loss, softmax_focal_loss])
def test_no_samples(loss_of):
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = loss_of(logits, torch.zeros(0, dtype=torch.long), 2.0, 0.25, None, "sum")
    assert loss.item() == 0
    loss.backward()
    assert logits.grad.shape == (0, 4)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_softmax_as_the_plain_formula(device, logits, gamma):
    targets = torch.tensor([0, 3, 2, 1, 2, 0])
    loss = softmax_focal_loss(logits.to(device), targets.to(device), gamma, 0.3, None, "none")
    torch.testing.assert_close(loss.cpu(), plain_softmax(logits, targets, gamma, 0.3))


def test_softmax_with_class_weights(logits):
    targets, weight = torch.tensor([0, 3, 2, 1, 2, 0]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    loss = softmax_focal_loss(logits, targets, 2.0, 0.3, weight, "none")
    torch.testing.assert_close(loss, plain_softmax(logits, targets, 2.0, 0.3) * weight[targets])


@pytest.mark.parametrize("gamma", GAMMAS)
def test_softmax_gradient(logits, gamma):
    targets = torch.tensor([0, 3, 2, 1, 2, 0])
    logits = logits.double().requires_grad_()
    softmax_focal_loss(logits, targets, gamma, 0.3, None, "mean").backward()
    by_hand = logits.detach().clone().requires_grad_()
    plain_softmax(by_hand, targets, gamma, 0.3).mean().backward()
    torch.testing.assert_close(logits.grad, by_hand.grad)


def test_softmax_ignores_negative_targets(logits):
    logits.requires_grad_()
    targets = torch.tensor([-1, 3, -1, 1, 2, 0])
    loss = softmax_focal_loss(logits, targets, 2.0, 0.3, None, "sum")
    kept = targets >= 0
    expected = plain_softmax(logits.detach()[kept], targets[kept], 2.0, 0.3).sum()
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert not logits.grad[~kept].any()
