"""The published models and the reference facts that the config tests compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bdd100k_models  # noqa: F401  before any test imports an OpenMMLab package
from tests.published import (
    TASKS,
    Published,
    one_per_architecture,
    published_models,
    read_reference,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "published" in metafunc.fixturenames:
        models = published_models()
        metafunc.parametrize("published", models, ids=[model.name for model in models])
    if "runnable" in metafunc.fixturenames:
        quick = one_per_architecture()
        metafunc.parametrize(
            "runnable",
            [
                pytest.param(model, marks=[] if model in quick else [pytest.mark.slow])
                for model in published_models()
            ],
            ids=lambda model: model.name,
        )


@pytest.fixture(scope="session")
def all_published() -> list[Published]:
    return published_models()


@pytest.fixture(scope="session")
def hyperparameters() -> dict[str, Any]:
    """By task: what each published config resolves to."""
    return {task: read_reference(f"hyperparameters/{task}.json") for task in TASKS}


@pytest.fixture(scope="session")
def state_dicts() -> dict[str, Any]:
    """By task and name: number of keys and fingerprint of the published state dicts."""
    facts: dict[str, Any] = read_reference("state_dicts.json")
    return facts


def seeded_image(height: int, width: int) -> torch.Tensor:
    """A smooth, structured, normalised image, (1, 3, H, W)."""
    rng = np.random.default_rng(7)
    shape = (1, 3, max(2, height // 16), max(2, width // 16))
    coarse = torch.tensor(rng.normal(0, 1, shape), dtype=torch.float32)
    smooth = nn.functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
    return smooth + torch.tensor(rng.normal(0, 0.1, (1, 3, height, width)), dtype=torch.float32)


@pytest.fixture(scope="session")
def run_model() -> Callable[[nn.Module, Published, tuple[int, int]], Any]:
    """Output of a published model for the seeded image.

    ``size`` (H, W) is that of the image of dense tasks; models that tag or estimate poses get the
    size that they were made for.
    """

    @torch.no_grad()
    def run(model: nn.Module, published: Published, size: tuple[int, int]) -> Any:
        if published.task == "tagging":
            side = 224 if "224" in published.name else 320
            return model(return_loss=False, img=seeded_image(side, side), img_metas=[{}])[0]
        if published.task == "pose":
            height, width = (320, 256) if "320x256" in published.name else (256, 192)
            inputs = {"img": seeded_image(height, width), "img_metas": [pose_meta()]}
            return model(return_loss=False, **inputs)["preds"][0]
        inputs = {"img": [seeded_image(*size)], "img_metas": [[dense_meta(*size)]]}
        return model(return_loss=False, rescale=True, **inputs)[0]

    return run


def dense_meta(height: int, width: int) -> dict[str, Any]:
    """What a detector or segmentor is told of an image."""
    shape = (height, width, 3)
    return {
        "img_shape": shape,
        "ori_shape": shape,
        "pad_shape": shape,
        "batch_input_shape": (height, width),
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
        "filename": "a.jpg",
        "ori_filename": "a.jpg",
    }


def pose_meta() -> dict[str, Any]:
    """What a pose estimator is told of a box."""
    return {
        "image_file": "a.jpg",
        "center": np.array([300.0, 200.0]),
        "scale": np.array([1.2, 1.6]),
        "rotation": 0,
        "bbox_id": 0,
        "bbox_score": 1.0,
        "flip_pairs": [[2, 5], [3, 6], [4, 7], [8, 11], [9, 12], [10, 13], [14, 15], [16, 17]],
    }
