"""A network's names and shapes, without its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from bdd100k_models.engine.model import build_network
from bdd100k_models.tasks import task_of

if TYPE_CHECKING:
    from mmcv import Config


class _RatesAsNumbers(TorchFunctionMode):
    """Rates of stochastic depth are numbers, on whatever device a network is built."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs["device"] = "cpu"
        return function(*args, **kwargs)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Within, networks are built of shapes alone, on the meta device, in no time and memory."""
    with torch.device("meta"), _RatesAsNumbers():
        yield


def state_shapes(cfg: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of a config's network.

    Raises:
        UserError: the config's network cannot be built.
    """
    with shapes_only():
        state = build_network(task_of(cfg), cfg).state_dict()
    return {key: tuple(value.shape) for key, value in state.items()}
