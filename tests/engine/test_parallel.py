"""What a runner holds for the network, as mmcv's hooks look at it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmcv.parallel import is_module_wrapper
from mmcv.runner import TextLoggerHook
from torch import nn

from bdd100k_models.engine.parallel import TrainedNetwork


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cpu", None), ("cuda:1", torch.device("cuda", 1)), ("cuda:0", torch.device("cuda", 0))],
)
def test_output_device_is_the_gpu(device: str, expected: torch.device | None) -> None:
    # A network without parameters moves to a GPU that is not there.
    wrapped = TrainedNetwork(nn.Identity(), torch.device(device))
    assert wrapped.output_device == expected
    assert is_module_wrapper(wrapped)
    assert wrapped.module is not wrapped


@pytest.mark.parametrize("device", ["cpu", "cuda:1"])
def test_the_text_logger_asks_for_the_memory_of_the_gpu(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    made: list[Any] = []
    make = torch.tensor

    def tensor(data: Any, dtype: Any, device: Any) -> torch.Tensor:
        made.append(device)
        return make(data, dtype=dtype)

    def memory(device: Any) -> int:
        asked.append(device)
        return 5 * 2**20

    monkeypatch.setattr(torch, "tensor", tensor)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", memory)
    runner = SimpleNamespace(
        model=TrainedNetwork(nn.Identity(), torch.device(device)), world_size=1
    )
    assert TextLoggerHook()._get_max_memory(runner) == 5
    expected = None if device == "cpu" else torch.device(device)
    assert asked == made == [expected]


def test_one_process_broadcasts_to_nobody() -> None:
    network = nn.BatchNorm2d(2)
    network.running_mean += 3
    TrainedNetwork(network, torch.device("cpu")).broadcast_buffers()
    assert network.running_mean.tolist() == [3.0, 3.0]
