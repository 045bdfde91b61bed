"""Whole models give what they gave on compiled mmcv-full 1.7.0 and torch 2.0.1.

Weights are a function of the state-dict key alone, the input is made from a seed, so that two
stacks which agree on the keys run the same computation. The recorded outputs are reference data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bdd100k_models import build_model, load_config
from bdd100k_models.engine.acceleration import accelerate

ROOT = Path(__file__).resolve().parents[2]
RECORDED: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "reference" / "outputs.json").read_text(encoding="utf-8")
)

CLASSIFIERS = ("fc_cls.", "conv_cls.", "retina_cls.", "rpn_cls.", "atss_cls.")
REGRESSORS = ("fc_reg.", "rpn_reg.", "retina_reg.", "atss_reg.", "conv_reg.")


def seeded_weights(state: Mapping[str, torch.Tensor], gain: float) -> dict[str, torch.Tensor]:
    """The same keys and shapes with values that depend on the key alone.

    ``gain`` scales the classifiers of detectors, so that scores neither saturate nor tie.
    """
    return {key: seeded_tensor(key, value, gain) for key, value in state.items()}


def seeded_tensor(key: str, value: torch.Tensor, gain: float) -> torch.Tensor:
    if not value.dtype.is_floating_point:
        return value.clone()
    rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
    shape = tuple(value.shape)
    if key.endswith("running_var"):
        drawn = rng.uniform(0.8, 1.2, shape)
    elif key.endswith("running_mean"):
        drawn = rng.normal(0, 0.05, shape)
    elif value.ndim >= 2:
        drawn = rng.normal(0, (2.0 / max(1, int(np.prod(shape[1:])))) ** 0.5, shape)
        if "offset" in key:
            drawn *= 0.1
        if any(part in key for part in CLASSIFIERS):
            drawn *= gain
        if any(part in key for part in REGRESSORS):
            drawn *= 0.05
        if "init_proposal_bboxes" in key:  # cx, cy, w, h as parts of the image
            drawn = np.array([0.5, 0.5, 0.3, 0.3]) + rng.uniform(-0.15, 0.15, shape)
    elif key.endswith(("weight", "gamma")):
        drawn = rng.uniform(0.8, 1.0, shape)
        if key.endswith(("bn3.weight", "bn2.weight")):
            drawn *= 0.3
    else:
        drawn = rng.normal(0, 0.05, shape)
    return torch.tensor(np.asarray(drawn), dtype=value.dtype)


def check_scores(found: Any, recorded: dict[str, Any]) -> None:
    np.testing.assert_allclose(np.ravel(found), recorded["scores"], atol=1e-5)


def check_detections(found: Any, recorded: dict[str, Any]) -> None:
    """The best 80 recorded detections are found again: class, box to 0.01 pixels, score to 1e-5.

    Scores were recorded to four digits, which is another 5e-5.
    """
    boxes, masks = found if isinstance(found, tuple) else (found, None)
    assert sum(len(of_class) for of_class in boxes) == recorded["n"]
    for label, *wanted in recorded["dets"][:80]:
        off = np.abs(np.asarray(boxes[label]) - wanted)
        near = (off[:, :4].max(axis=1) < 1e-2) & (off[:, 4] < 6e-5)
        assert near.any(), f"class {label}, {wanted}: the nearest is off by {off.min(axis=0)}"
    if masks is not None:
        area = sum(int(np.sum(mask)) for of_class in masks for mask in of_class)
        assert area == pytest.approx(recorded["mask_area"], rel=1e-4)


def check_segmentation(found: Any, recorded: dict[str, Any]) -> None:
    segmentation = np.asarray(found).astype(np.int64)
    assert list(segmentation.shape) == recorded["shape"]
    assert segmentation[4::8, 4::8].ravel().tolist() == recorded["grid"]
    histogram = np.bincount(segmentation.ravel(), minlength=19)
    assert np.abs(histogram - recorded["hist"]).sum() <= 1e-4 * segmentation.size


def check_panoptic(found: Any, recorded: dict[str, Any]) -> None:
    panoptic = np.asarray(found["pan_results"])
    assert list(panoptic.shape) == recorded["shape"]
    assert (panoptic[4::8, 4::8] % 1000).ravel().tolist() == recorded["grid"]


def check_keypoints(found: Any, recorded: dict[str, Any]) -> None:
    keypoints, wanted = np.asarray(found), np.asarray(recorded["preds"])
    np.testing.assert_allclose(keypoints[:, :2], wanted[:, :2], atol=1e-2)
    np.testing.assert_allclose(keypoints[:, 2], wanted[:, 2], rtol=2e-5, atol=1e-4)


CHECKS = {
    "tagging": check_scores,
    "det": check_detections,
    "ins_seg": check_detections,
    "sem_seg": check_segmentation,
    "drivable": check_segmentation,
    "pan_seg": check_panoptic,
    "pose": check_keypoints,
}


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task, models in RECORDED.items() for name in models],
)
def test_output_is_the_recorded_one(
    task: str, name: str, all_published: list[Any], run_model: Callable[..., Any]
) -> None:
    (model,) = [entry for entry in all_published if (entry.task, entry.name) == (task, name)]
    recorded = RECORDED[task][name]
    network = build_model(load_config(model.path), checkpoint=None, device="cpu")
    network.load_state_dict(seeded_weights(network.state_dict(), recorded.get("gain", 1.0)))
    CHECKS[task](run_model(network, model, recorded["size"]), recorded)
    accelerate(network)
    CHECKS[task](run_model(network, model, recorded["size"]), recorded)
