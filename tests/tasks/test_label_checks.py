"""Labels that do not fit their picture, and annotation files that hold nonsense, in training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bdd100k_models import load_config
from bdd100k_models.engine.sampling import Draw, SeededDataset, Unreadable
from bdd100k_models.engine.training import build_dataset
from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.tasks import get_task


def training_data(task_name: str, root: Path) -> Any:
    """The training dataset of the mini model of a task."""
    task = get_task(task_name)
    task.register()
    cfg = load_config(REPOSITORY / "demo" / "models" / f"{task_name}_mini.py", data_root=root)
    return build_dataset(task, cfg, cfg.data.train)


def load_first(task_name: str, root: Path) -> Any:
    """Its first sample through the training pipeline."""
    return SeededDataset(training_data(task_name, root))[Draw(0, 1)]


@pytest.fixture
def root(tmp_path: Path, mini_root: Path) -> Path:
    """A copy of the data whose labels may be spoilt."""
    (tmp_path / "images").symlink_to(mini_root / "images")
    for folder in ("labels", "jsons"):
        shutil.copytree(mini_root / folder, tmp_path / folder)
    return tmp_path


def first_mask(root: Path, folder: str) -> Path:
    return min((root / "labels" / folder / "masks" / "train").iterdir())


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.zeros((10, 10), np.uint8), "has 10x10 pixels, its picture has 1280x720"),
        (np.full((720, 1280), 77, np.uint8), "has the value 77, which is no class: there are"),
        (np.zeros((720, 1280, 3), np.uint8), "has 3 channels, a mask has 1"),
    ],
)
@pytest.mark.parametrize("task", ["sem_seg", "drivable"])
def test_a_mask_that_does_not_fit_is_named(
    task: str, pixels: np.ndarray, told: str, root: Path
) -> None:
    mask = first_mask(root, task)
    cv2.imwrite(str(mask), pixels)
    sample = load_first(task, root)
    assert isinstance(sample, Unreadable)
    assert str(mask) in sample.problem
    assert told in sample.problem


@pytest.mark.parametrize("task", ["sem_seg", "drivable", "det", "ins_seg", "pan_seg", "pose"])
def test_whole_labels_pass(task: str, mini_root: Path) -> None:
    assert not isinstance(load_first(task, mini_root), Unreadable)


def test_a_panoptic_map_of_another_size_is_named(root: Path) -> None:
    dataset = training_data("pan_seg", root)
    info = dataset.data_infos[0]
    cv2.imwrite(str(Path(dataset.seg_prefix, info["segm_file"])), np.zeros((10, 10, 3), np.uint8))
    sample = SeededDataset(dataset)[Draw(0, 1)]
    assert isinstance(sample, Unreadable)
    assert info["filename"] in sample.problem


@pytest.mark.parametrize("task", ["det", "ins_seg"])
def test_boxes_for_a_picture_of_another_size_are_told(task: str, root: Path) -> None:
    file = root / "jsons" / f"{task}_train_cocofmt.json"
    content = json.loads(file.read_text())
    for image in content["images"]:
        image["width"] = 640
    file.write_text(json.dumps(content))
    sample = load_first(task, root)
    assert isinstance(sample, Unreadable)
    told = "has 1280x720 pixels, its annotations are for 640x720"
    assert told in sample.problem or "does not get through" in sample.problem


Spoil = Callable[[dict[str, Any]], Any]


def without(key: str) -> Spoil:
    def spoil(content: dict[str, Any]) -> Any:
        content["annotations"][0].pop(key)
        return content

    return spoil


@pytest.mark.parametrize(
    ("task", "spoil", "told"),
    [
        ("det", without("bbox"), "annotation 0 has no 'bbox'"),
        ("det", without("area"), "annotation 0 has no 'area'"),
        ("det", lambda content: {**content, "images": None}, "'images' is null"),
        ("det", lambda content: {**content, "images": {"a": 1}}, "'images' is an object"),
        ("det", lambda content: {**content, "images": 5}, "'images' is 5"),
        ("det", lambda content: {**content, "images": [{"file_name": None}]}, "is null"),
        ("det", lambda content: {**content, "images": [{"file_name": 7}]}, "'file_name' of image"),
        ("det", lambda content: None, "'images' is null"),
        ("det", lambda content: [1, 2], "'images' is null"),
        ("det", lambda content: {**content, "categories": []}, "senseless 'category_id'"),
        ("ins_seg", without("segmentation"), "annotation 0 has no 'segmentation'"),
        ("pan_seg", without("segments_info"), "annotation 0 has no 'segments_info'"),
        ("pose", without("bbox"), "annotation 0 has no 'bbox'"),
    ],
)
def test_an_annotation_file_that_lacks_something_is_told(
    task: str, spoil: Spoil, told: str, root: Path
) -> None:
    file = root / "jsons" / f"{task}_train_cocofmt.json"
    file.write_text(json.dumps(spoil(json.loads(file.read_text()))))
    with pytest.raises(UserError) as caught:
        training_data(task, root)
    assert str(caught.value).startswith(f"annotations {file}")
    assert told in str(caught.value)


@pytest.mark.parametrize("task", ["det", "ins_seg", "pan_seg", "pose"])
def test_an_annotation_file_with_nested_brackets_is_not_json(task: str, root: Path) -> None:
    file = root / "jsons" / f"{task}_train_cocofmt.json"
    file.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(UserError, match="is not JSON"):
        training_data(task, root)


@pytest.mark.parametrize("task", ["det", "ins_seg", "pan_seg", "pose"])
def test_an_annotation_file_that_is_not_there(task: str, root: Path) -> None:
    file = root / "jsons" / f"{task}_train_cocofmt.json"
    file.unlink()
    with pytest.raises(UserError, match=f"no training data for {task}: no .*{file.name}"):
        training_data(task, root)
