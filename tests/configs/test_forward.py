"""Published models run on a small image: one per architecture, all of them in the long tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bdd100k_models import build_model, load_config
from bdd100k_models.engine.acceleration import accelerate
from bdd100k_models.zoo import classes

#: (H, W) of the images of dense tasks.
SIZE = (96, 160)


def check_tags(result: Any) -> None:
    assert np.shape(result) == (7,)
    assert float(np.sum(result)) == pytest.approx(1, abs=1e-5)


def check_boxes(result: list[np.ndarray], number: int) -> None:
    assert [boxes.shape[1:] for boxes in result] == [(5,)] * number
    boxes = np.concatenate(result)
    assert np.isfinite(boxes).all()
    assert ((boxes[:, 4] >= 0) & (boxes[:, 4] <= 1)).all()


def check_instances(result: Any) -> None:
    boxes, masks = result
    check_boxes(boxes, len(classes.INS_SEG))
    assert [len(of_class) for of_class in masks] == [len(of_class) for of_class in boxes]
    assert all(mask.shape == SIZE for of_class in masks for mask in of_class)


def check_map(result: Any, number: int) -> None:
    segmentation = np.asarray(result)
    assert segmentation.shape == SIZE
    assert segmentation.min() >= 0
    assert segmentation.max() < number


def check_keypoints(result: Any) -> None:
    assert np.shape(result) == (len(classes.POSE_KEYPOINTS), 3)
    assert np.isfinite(result).all()


CHECKS: dict[str, Callable[[Any], None]] = {
    "tagging": check_tags,
    "det": lambda result: check_boxes(result, len(classes.DET)),
    "ins_seg": check_instances,
    "sem_seg": lambda result: check_map(result, len(classes.SEM_SEG)),
    "drivable": lambda result: check_map(result, len(classes.DRIVABLE)),
    "pan_seg": lambda result: check_map(result["pan_results"] % 1000, len(classes.PAN_SEG) + 1),
    "pose": check_keypoints,
}


def tensors_of(nest: Any) -> list[torch.Tensor]:
    if isinstance(nest, torch.Tensor):
        return [nest]
    items = nest.values() if isinstance(nest, dict) else nest
    return [tensor for item in items for tensor in tensors_of(item)]


def check_alike(found: list[torch.Tensor], plain: list[torch.Tensor]) -> None:
    """Features differ by no more than 1e-4 of the largest."""
    for a, b in zip(found, plain, strict=True):
        assert (a - b).abs().max() <= 1e-4 * b.abs().max()


def test_forward(runnable: Any, run_model: Callable[..., Any]) -> None:
    """On a plain network, and on the same made faster, which sees the same."""
    torch.manual_seed(0)
    model = build_model(load_config(runnable.path), checkpoint=None, device="cpu")
    features: list[list[torch.Tensor]] = []
    for name in ("backbone", "neck"):
        part = getattr(model, name, None)
        if part is not None:
            part.register_forward_hook(lambda *call: features.append(tensors_of(call[2])))
    CHECKS[runnable.task](run_model(model, runnable, SIZE))
    plain, features = features, []
    accelerate(model)
    CHECKS[runnable.task](run_model(model, runnable, SIZE))
    for now, before in zip(features, plain, strict=True):
        check_alike(now, before)
