"""The steps of mmcv's synchronised batch norm, between which mmcv averages over the ranks.

mmcv registers torch's own `SyncBatchNorm` as ``SyncBN``; these serve ``MMSyncBN``, on CPU too. All
take features as (N, C, S), S being the flat spatial size.
"""

from torch import Tensor


def sync_bn_forward_mean(input: Tensor, mean: Tensor) -> None:
    """Mean over images and space, written to `mean` (C,) float32."""
    mean.copy_(input.float().mean(dim=(0, 2)))


def sync_bn_forward_var(input: Tensor, mean: Tensor, var: Tensor) -> None:
    """Mean squared distance from `mean` (C,), written to `var` (C,) float32."""
    var.copy_((input.float() - mean[:, None]).square().mean(dim=(0, 2)))


def sync_bn_forward_output(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    norm: Tensor,
    std: Tensor,
    output: Tensor,
    eps: float,
    momentum: float | Tensor,
    group_size: int,
) -> None:
    """Normalise with statistics of all ranks and update the running ones.

    Args:
        input: (N, C, S).
        mean: (C,), over all ranks.
        var: (C,), biased, over all ranks.
        weight: (C,).
        bias: (C,).
        running_mean: (C,), updated in place.
        running_var: (C,), unbiased, updated in place.
        norm: (N, C, S) float32, written: the input with mean 0 and variance 1.
        std: (C,) float32, written.
        output: (N, C, S), written.
        eps: added to the variance.
        momentum: share of the new statistics.
        group_size: number of ranks.
    """
    std.copy_((var + eps).sqrt())
    norm.copy_((input.float() - mean[:, None]) / std[:, None])
    output.copy_(norm * weight[:, None] + bias[:, None])
    count = input.shape[0] * input.shape[2] * group_size
    unbiased = var * count / (count - 1) if count > 1 else var
    running_mean.copy_(momentum * mean + (1 - momentum) * running_mean)
    running_var.copy_(momentum * unbiased + (1 - momentum) * running_var)


def sync_bn_backward_param(
    grad_output: Tensor, norm: Tensor, grad_weight: Tensor, grad_bias: Tensor
) -> None:
    """Gradients by weight and bias of this rank, written to `grad_weight` and `grad_bias` (C,)."""
    grad = grad_output.float()
    grad_weight.copy_((grad * norm).sum(dim=(0, 2)))
    grad_bias.copy_(grad.sum(dim=(0, 2)))


def sync_bn_backward_data(
    grad_output: Tensor,
    weight: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    norm: Tensor,
    std: Tensor,
    grad_input: Tensor,
) -> None:
    """Gradient by the input, (N, C, S), written to `grad_input`.

    `grad_weight` and `grad_bias` (C,) are averages over the ranks.
    """
    count = norm.shape[0] * norm.shape[2]
    shared = (grad_weight[:, None] * norm + grad_bias[:, None]) / count
    grad_input.copy_((grad_output.float() - shared) * (weight / std)[:, None])
