"""What a runner holds for the network: batches go to its device, gradients to all ranks."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
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

    Attributes:
        device: where the network is.
        output_device: the same where that is a GPU, else None. mmcv's text logger reads there how
            much memory is used, and reduces that over the ranks as a tensor there.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.module = network.to(device)
        self.device = device
        self.output_device = device if device.type == "cuda" else None
        # In a tuple, so that the parameters are not registered a second time.
        self._step: tuple[nn.Module] = (_TrainStep(self.module),)

    def distribute(self, *, find_unused_parameters: bool = False) -> None:
        """Start from rank 0's weights and average gradients from now on: all ranks call it."""
        step = DistributedDataParallel(
            self._step[0],
            broadcast_buffers=False,
            find_unused_parameters=find_unused_parameters,
        )
        self._step = (step,)

    def broadcast_buffers(self) -> None:
        """Rank 0's buffers on every rank: the statistics of batch norm differ between ranks.

        Those of rank 0 are in the checkpoints, so that scores are of what is saved.
        """
        if isinstance(self._step[0], DistributedDataParallel):
            for buffer in self.module.buffers():
                sent = buffer.contiguous()
                dist.broadcast(sent, src=0)
                if sent is not buffer:
                    buffer.copy_(sent)

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
