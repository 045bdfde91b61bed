"""Every architecture of the zoo predicts and converts a small picture on a rehearsed GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bdd100k_models import load_config
from bdd100k_models.benchmarks.rehearsed_run import rehearse_picture
from bdd100k_models.tasks.pose_boxes import PersonBox
from tests.published import Published, one_per_architecture

#: Width and height that the pictures of dense tasks are resized to.
SCALE = (256, 128)
PERSON = PersonBox(20, 10, 50, 100, 0.9)
#: Waits that no model of a task needs more of, found by counting; a regression shows here.
MOST_WAITS = {"tagging": 1, "sem_seg": 2, "drivable": 2, "pose": 2}


def shrink(value: Any) -> None:
    """Make the pictures of a test pipeline small, in place."""
    if isinstance(value, list):
        for item in value:
            shrink(item)
    elif isinstance(value, dict):
        if "img_scale" in value:
            value["img_scale"] = SCALE
        for item in value.values():
            shrink(item)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "a.png"
    coarse = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (256, 144)))
    return path


@pytest.mark.parametrize("model", sorted(one_per_architecture()), ids=lambda model: model.name)
def test_predicts_and_converts(model: Published, picture: Path) -> None:
    cfg = load_config(model.path)
    shrink(cfg.data.test.pipeline)
    found = rehearse_picture(cfg, picture, people=[PERSON] if model.task == "pose" else ())
    entry = next(iter(found.prediction.entries.values()))
    assert entry["name"] == "a.png"
    assert entry["attributes"] if model.task == "tagging" else entry["labels"]
    assert 1 <= found.waits.total <= MOST_WAITS.get(model.task, 60)


@pytest.mark.parametrize("precision", ["fp16", "bf16", "auto"])
def test_in_half_precision(precision: str, picture: Path) -> None:
    cfg = load_config("demo/models/det_mini.py")
    shrink(cfg.data.test.pipeline)
    cfg.fp16 = {"loss_scale": 512.0}
    found = rehearse_picture(cfg, picture, precision=precision)
    assert found.prediction.entries["det"]["labels"]
