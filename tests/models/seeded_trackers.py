"""Networks with the weights that the outputs of the original QDTrack and PCAN were made with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bdd100k_models.config import read_config

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference" / "tracking"


def read_arrays(name: str) -> Mapping[str, np.ndarray]:
    arrays: Mapping[str, np.ndarray] = np.load(REFERENCE / name)
    return arrays


def reference_state(name: str) -> list[tuple[str, tuple[int, ...]]]:
    """Keys and shapes of the original, in its order."""
    return [
        (key, tuple(shape)) for key, shape, _ in json.loads((REFERENCE / name).read_text("utf-8"))
    ]


def seeded(shapes: list[tuple[str, tuple[int, ...]]]) -> dict[str, torch.Tensor]:
    """Each tensor a function of its key and shape."""
    filled = {}
    for key, shape in shapes:
        if key.endswith("num_batches_tracked"):
            filled[key] = torch.zeros(shape, dtype=torch.int64)
            continue
        rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
        if key.endswith("running_var"):
            array = rng.uniform(0.8, 1.2, shape)
        elif key.endswith("running_mean"):
            array = rng.normal(0, 0.05, shape)
        elif len(shape) >= 2:
            array = rng.normal(0, (2.0 / np.prod(shape[1:])) ** 0.5, shape)
            if any(part in key for part in ("fc_reg.", "rpn_reg.")):
                array *= 0.05
        elif key.endswith("weight"):
            array = rng.uniform(0.8, 1.0, shape)
            if key.endswith(("bn2.weight", "bn3.weight")):
                array *= 0.3
        else:
            array = rng.normal(0, 0.05, shape)
        filled[key] = torch.tensor(array, dtype=torch.float32)
    return filled


def changed(
    state: Mapping[str, torch.Tensor], factors: Mapping[str, float], biases: str
) -> dict[str, torch.Tensor]:
    """Weights times their factors, and those that a file replaces."""
    new = {
        key: value * torch.tensor(factors[key], dtype=torch.float32) if key in factors else value
        for key, value in state.items()
    }
    new.update({key: torch.tensor(value) for key, value in read_arrays(biases).items()})
    return new


def frame(pipeline: Any, number: int) -> tuple[torch.Tensor, dict[str, Any]]:
    """Input (1, 3, 192, 320) and meta of a frame of video a, through a config's test pipeline."""
    picture = REFERENCE / "images" / f"a{number}.png"
    sample = pipeline({"img_info": {"filename": str(picture)}, "img_prefix": None})
    return sample["img"][0][None], sample["img_metas"][0].data


def small_pipeline(config: str) -> Any:
    """The test pipeline of a config, for pictures of 320 x 180."""
    from mmdet.datasets.pipelines import Compose

    steps = read_config(config).data.test.pipeline
    steps[1].img_scale = (324, 180)
    return Compose(steps)
