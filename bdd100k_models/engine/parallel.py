"""What a runner holds for the network: batches go to its device, gradients to all ranks."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.parallel import MODULE_WRAPPERS
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bdd100k_models.engine.loading import to_device


class _TrainStep(nn.Module):
    """``train_step`` as a forward pass, which is what torch's wrapper averages gradients of."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        network: Any = self.network
        outputs: dict[str, Any] = network.train_step(batch, optimizer)
        return outputs


@MODULE_WRAPPERS.register_module()
class TrainedNetwork(nn.Module):
    """A network of an OpenMMLab package under training, in one process or in one of many.

    ``module`` is the network itself: its state dict and parameter names are those of the published
    checkpoints. Unlike mmcv's wrappers it trains on the CPU of a machine with GPUs, and over gloo.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        *,
        distributed: bool = False,
        find_unused_parameters: bool = False,
    ) -> None:
        super().__init__()
        self.module = network.to(device)
        self.device = device
        step: nn.Module = _TrainStep(self.module)
        if distributed:
            step = DistributedDataParallel(
                step,
                broadcast_buffers=False,
                find_unused_parameters=find_unused_parameters,
            )
        # In a tuple, so that the parameters are not registered a second time.
        self._step = (step,)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The network's own forward pass on data that is on its device already."""
        return self.module(*inputs, **kwargs)

    def train_step(self, batch: dict[str, Any], optimizer: Any) -> dict[str, Any]:
        """Losses of a collated batch: ``loss``, ``log_vars``, ``num_samples``."""
        outputs: dict[str, Any] = self._step[0](to_device(batch, self.device), optimizer)
        return outputs

    def val_step(self, batch: dict[str, Any], optimizer: Any = None) -> dict[str, Any]:
        """As :meth:`train_step`, without gradients."""
        network: Any = self.module
        outputs: dict[str, Any] = network.train_step(to_device(batch, self.device), optimizer)
        return outputs
