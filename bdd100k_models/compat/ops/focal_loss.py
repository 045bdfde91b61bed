"""Focal loss (Lin et al. 2017) of sigmoid and of softmax outputs, given the index of the class."""

import torch
from torch import Tensor

from bdd100k_models.compat.ops.dtypes import widen

TINY = torch.finfo(torch.float32).tiny


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Loss of each class of each sample, written to `output`.

    Args:
        input: (N, C) logits.
        target: (N,) int64, class index; C, or any other that is no class, is background.
        weight: (C,) per class, applied by the sample's target (background: 1), or empty.
        output: (N, C), written.
        gamma: focusing exponent.
        alpha: weight of the positive class; the negative ones have 1 - alpha.
    """
    probability, positive = _sigmoid_terms(input, target)
    rest = 1 - probability
    hit = alpha * rest.pow(gamma) * probability.clamp(min=TINY).log()
    miss = (1 - alpha) * probability.pow(gamma) * rest.clamp(min=TINY).log()
    loss = -torch.where(positive, hit, miss)
    output.copy_(loss * _target_weight(weight, target, loss)[:, None])


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Derivative of each loss by its logit, (N, C), written to `grad_input`."""
    probability, positive = _sigmoid_terms(input, target)
    rest = 1 - probability
    log_p = probability.clamp(min=TINY).log()
    log_rest = rest.clamp(min=TINY).log()
    hit = alpha * rest.pow(gamma) * (rest - gamma * probability * log_p)
    miss = (1 - alpha) * probability.pow(gamma) * (gamma * rest * log_rest - probability)
    grad = -torch.where(positive, hit, miss)
    grad_input.copy_(grad * _target_weight(weight, target, grad)[:, None])


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Loss of each sample, written to `output`.

    Args:
        input: (N, C) probabilities, a softmax's output.
        target: (N,) int64, class index; a negative one means no loss.
        weight: (C,) per class, applied by the sample's target, or empty.
        output: (N,), written.
        gamma: focusing exponent.
        alpha: weight of the loss.
    """
    probability = _target_probability(input, target)
    loss = -alpha * (1 - probability).pow(gamma) * probability.clamp(min=TINY).log()
    loss = loss * _target_weight(weight, target, loss)
    output.copy_(torch.where(target >= 0, loss, 0))


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Derivative of each sample's loss by the logits, (N, C), written to `grad_input`.

    `buff` (N,) receives the factor that all classes of a sample share.
    """
    probability = _target_probability(input, target)
    rest = 1 - probability
    log_p = probability.clamp(min=TINY).log()
    # gamma - 1 is negative for gamma < 1; at probability 1 the product's limit is 0 then.
    slope = torch.where(rest > 0, rest.clamp(min=TINY).pow(gamma - 1), float(gamma == 1))
    factor = alpha * (gamma * slope * probability * log_p - rest.pow(gamma))
    factor = torch.where(target >= 0, factor * _target_weight(weight, target, factor), 0)
    buff.copy_(factor)
    classes = torch.arange(input.shape[1], device=input.device)
    hit = (target[:, None] == classes).to(factor.dtype)
    grad_input.copy_(factor[:, None] * (hit - widen(input)))


def _sigmoid_terms(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (N, C) and where they belong to the target, (N, C) bool."""
    classes = torch.arange(input.shape[1], device=input.device)
    return widen(input).sigmoid(), target[:, None] == classes


def _target_probability(softmax: Tensor, target: Tensor) -> Tensor:
    """Probability of the target, (N,); of class 0 where the target is negative."""
    return widen(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _target_weight(weight: Tensor, target: Tensor, like: Tensor) -> Tensor:
    """Weight of each sample by its target, (N,); 1 for targets that are no class."""
    if not weight.numel():
        return like.new_ones(len(target))
    known = (target >= 0) & (target < len(weight))
    chosen = weight.to(like.dtype)[torch.where(known, target, 0)]
    return torch.where(known, chosen, 1)
