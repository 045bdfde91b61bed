"""The losses of embeddings, by hand."""

from __future__ import annotations

import math

import pytest
import torch

import bdd100k_models  # noqa: F401


def test_every_positive_is_compared_with_every_negative() -> None:
    from bdd100k_models.models.embedding import MultiPosCrossEntropyLoss

    similarities = torch.tensor([[2.0, 1.0, 0.5, -1.0], [9.0, 9.0, 9.0, 9.0]], requires_grad=True)
    targets = torch.tensor([[True, True, False, False], [False] * 4])
    loss = MultiPosCrossEntropyLoss(loss_weight=0.25)(similarities, targets)
    pairs = [math.exp(n - p) for p in (2.0, 1.0) for n in (0.5, -1.0)]
    assert loss.item() == pytest.approx(0.25 * math.log(1 + sum(pairs)), rel=1e-6)
    loss.backward()
    assert similarities.grad is not None
    assert similarities.grad.isfinite().all()
    assert (similarities.grad[1] == 0).all()


@pytest.mark.parametrize("targets", [torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(0, 3)])
def test_nothing_to_compare_is_no_loss(targets: torch.Tensor) -> None:
    from bdd100k_models.models.embedding import L2Loss, MultiPosCrossEntropyLoss

    similarities = torch.ones(targets.shape, requires_grad=True)
    for loss in (MultiPosCrossEntropyLoss(), L2Loss(pos_margin=0.0)):
        value = loss(similarities, targets.bool())
        assert value.item() == 0
        value.backward()
        assert similarities.grad is not None
        assert similarities.grad.isfinite().all()


def test_the_hardest_negatives_count() -> None:
    from bdd100k_models.models.embedding import L2Loss

    similarities = torch.tensor([[0.7, 0.9, 0.6, 0.3, -0.5]])
    targets = torch.tensor([[True, False, False, False, False]])
    loss = L2Loss(neg_pos_ub=2, pos_margin=0.0, neg_margin=0.1, loss_weight=2.0)
    wanted = 2 * (0.3**2 + 0.8**2 + 0.5**2) / 3
    assert loss(similarities, targets).item() == pytest.approx(wanted, rel=1e-6)
