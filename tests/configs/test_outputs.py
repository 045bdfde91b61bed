"""Whole models give what they gave on compiled mmcv-full 1.7.0 and torch 2.0.1.

Weights are a function of the state-dict key alone, the input is made from a seed, so that two
stacks which agree on the keys run the same computation. The recorded outputs are reference data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bdd100k_models import build_model, load_config

ROOT = Path(__file__).resolve().parents[2]
RECORDED: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "reference" / "outputs.json").read_text(encoding="utf-8")
)

CLASSIFIERS = ("fc_cls.", "conv_cls.", "retina_cls.", "rpn_cls.", "atss_cls.")
REGRESSORS = ("fc_reg.", "rpn_reg.", "retina_reg.", "atss_reg.", "conv_reg.")
FLIP_PAIRS = [[2, 5], [3, 6], [4, 7], [8, 11], [9, 12], [10, 13], [14, 15], [16, 17]]


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


def seeded_image(height: int, width: int) -> torch.Tensor:
    """A smooth, structured, normalised image, (1, 3, H, W)."""
    rng = np.random.default_rng(7)
    shape = (1, 3, max(2, height // 16), max(2, width // 16))
    coarse = torch.tensor(rng.normal(0, 1, shape), dtype=torch.float32)
    smooth = nn.functional.interpolate(
        coarse, size=(height, width), mode="bilinear", align_corners=False
    )
    return smooth + torch.tensor(rng.normal(0, 0.1, (1, 3, height, width)), dtype=torch.float32)


def dense_result(model: nn.Module, height: int, width: int) -> Any:
    """Output of a detector or segmentor for the seeded image."""
    shape = (height, width, 3)
    meta = {
        "img_shape": shape,
        "ori_shape": shape,
        "pad_shape": shape,
        "batch_input_shape": (height, width),
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
        "filename": "a.jpg",
        "ori_filename": "a.jpg",
    }
    image = seeded_image(height, width)
    return model(return_loss=False, rescale=True, img=[image], img_metas=[[meta]])[0]


def check_scores(model: nn.Module, recorded: dict[str, Any], name: str) -> None:
    side = 224 if "224" in name else 320
    scores = model(return_loss=False, img=seeded_image(side, side), img_metas=[{}])[0]
    np.testing.assert_allclose(np.ravel(scores), recorded["scores"], atol=1e-5)


def check_detections(model: nn.Module, recorded: dict[str, Any], name: str) -> None:
    """The best 80 recorded detections are found again: class, box to 0.01 pixels, score to 1e-5.

    Scores were recorded to four digits, which is another 5e-5.
    """
    result = dense_result(model, *recorded["size"])
    boxes, masks = result if isinstance(result, tuple) else (result, None)
    assert sum(len(of_class) for of_class in boxes) == recorded["n"]
    for label, *wanted in recorded["dets"][:80]:
        found = np.asarray(boxes[label])
        off = np.abs(found - wanted)
        near = (off[:, :4].max(axis=1) < 1e-2) & (off[:, 4] < 6e-5)
        assert near.any(), f"class {label}, {wanted}: the nearest is off by {off.min(axis=0)}"
    if masks is not None:
        area = sum(int(np.sum(mask)) for of_class in masks for mask in of_class)
        assert area == pytest.approx(recorded["mask_area"], rel=1e-4)


def check_segmentation(model: nn.Module, recorded: dict[str, Any], name: str) -> None:
    found = np.asarray(dense_result(model, *recorded["size"])).astype(np.int64)
    assert list(found.shape) == recorded["shape"]
    assert found[4::8, 4::8].ravel().tolist() == recorded["grid"]
    histogram = np.bincount(found.ravel(), minlength=19)
    assert np.abs(histogram - recorded["hist"]).sum() <= 1e-4 * found.size


def check_panoptic(model: nn.Module, recorded: dict[str, Any], name: str) -> None:
    found = np.asarray(dense_result(model, *recorded["size"])["pan_results"])
    assert list(found.shape) == recorded["shape"]
    assert (found[4::8, 4::8] % 1000).ravel().tolist() == recorded["grid"]


def check_keypoints(model: nn.Module, recorded: dict[str, Any], name: str) -> None:
    height, width = (320, 256) if "320x256" in name else (256, 192)
    meta = {
        "image_file": "a.jpg",
        "center": np.array([300.0, 200.0]),
        "scale": np.array([1.2, 1.6]),
        "rotation": 0,
        "bbox_id": 0,
        "bbox_score": 1.0,
        "flip_pairs": FLIP_PAIRS,
    }
    result = model(return_loss=False, img=seeded_image(height, width), img_metas=[meta])
    found = np.asarray(result["preds"])[0]
    wanted = np.asarray(recorded["preds"])
    np.testing.assert_allclose(found[:, :2], wanted[:, :2], atol=1e-2)
    np.testing.assert_allclose(found[:, 2], wanted[:, 2], rtol=2e-5, atol=1e-4)


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
def test_output_is_the_recorded_one(task: str, name: str, all_published: list[Any]) -> None:
    (model,) = [entry for entry in all_published if (entry.task, entry.name) == (task, name)]
    recorded = RECORDED[task][name]
    network = build_model(load_config(model.path), checkpoint=None, device="cpu")
    network.load_state_dict(seeded_weights(network.state_dict(), recorded.get("gain", 1.0)))
    with torch.no_grad():
        CHECKS[task](network, recorded, name)
