"""Recorded inputs, outputs and gradients of compiled mmcv-full 1.7.0."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

FOLDER = Path(__file__).parents[2] / "data" / "ops"

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    ),
]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    """Each device that is there."""
    return request.param


@pytest.fixture
def recorded() -> Callable[..., dict[str, Tensor]]:
    """Load the arrays of one recorded call as tensors."""

    def load(name: str, device: str = "cpu") -> dict[str, Tensor]:
        with np.load(FOLDER / f"{name}.npz") as arrays:
            return {key: torch.from_numpy(np.asarray(arrays[key])).to(device) for key in arrays}

    return load


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
