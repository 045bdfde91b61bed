"""Convolutions that train faster on a CPU, with the same losses but for rounding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bdd100k_models.engine import winograd
from bdd100k_models.engine.acceleration import is_plain_convolution
from bdd100k_models.system import keep_freed_memory


def speed_up_training(network: nn.Module) -> None:
    """Let a network on the CPU train faster, in place; its state dict stays as it is.

    Convolutions give maps in the channels-last layout, which all layers between them keep, and
    take Winograd's way forward and backward where it pays. Freed memory stays with the process.
    """
    keep_freed_memory()
    for module in network.modules():
        if is_plain_convolution(module):
            module.__class__ = TrainedConv2d


class TrainedConv2d(nn.Conv2d):
    """A convolution of float32 maps in the channels-last layout."""

    padding: tuple[int, int]

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, out_channels, H', W')."""
        if (
            input.device.type != "cpu"
            or input.dtype != torch.float32
            or input.dim() != 4
            or not input.numel()
            or torch.is_autocast_enabled("cpu")
        ):
            return super().forward(input)
        input = input.contiguous(memory_format=torch.channels_last)
        if not winograd.fits(self, input):
            return super().forward(input)
        result: Tensor = _Winograd.apply(
            input, self.weight, self.bias, self.padding, self.dilation[0]
        )
        return result


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: tuple[int, int],
        dilation: int,
    ) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.padding, ctx.dilation = padding, dilation
        weights = winograd.transform_weights(weight, exact=False)
        return winograd.convolve(input, weights, bias, padding, dilation, relu=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        input, weight = ctx.saved_tensors
        padding, dilation = ctx.padding, ctx.dilation
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        to_input, to_weight, to_bias = ctx.needs_input_grad[:3]
        around = tuple(2 * dilation - side for side in padding)
        filters, channels = weight.shape[:2]
        by_winograd = (
            to_input
            and min(around) >= 0
            and winograd.pays(filters, channels, input.shape[2], input.shape[3], dilation)
        )
        input_gradient = weight_gradient = bias_gradient = None
        if by_winograd:
            # The gradient of a convolution is one with the weights turned round.
            turned = weight.detach().flip(2, 3).transpose(0, 1)
            weights = winograd.transform_weights(turned, exact=False)
            input_gradient = winograd.convolve(
                gradient, weights, None, (around[0], around[1]), dilation, relu=False
            )
        elif to_input:
            input_gradient, _, _ = torch.ops.aten.convolution_backward(
                gradient,
                input,
                weight,
                None,
                (1, 1),
                padding,
                (dilation, dilation),
                False,
                (0, 0),
                1,
                (True, False, False),
            )
        if to_weight:
            weight_gradient = winograd.weight_gradient(input, gradient, padding, dilation)
        if to_bias:
            bias_gradient = gradient.sum((0, 2, 3))
        return input_gradient, weight_gradient, bias_gradient, None, None
