"""drivable: sem_seg with three classes, of which the evaluator ignores the last."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bdd100k_models import load_config
from bdd100k_models.tasks import get_task, task_of
from bdd100k_models.tasks.base import ImageRecord, Task
from bdd100k_models.zoo import classes

CONFIG = "pspnet_r50-d8_512x1024_40k_drivable_bdd100k"


def drivable_task() -> Task:
    task = get_task("drivable")
    task.register()
    return task


def test_truth_scores_perfectly_in_both_forms(
    segmentation_world: Any, run_task: Any, official_scores: Any
) -> None:
    world = segmentation_world("drivable")
    task = drivable_task()
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(task, cfg, world.oracle(), options=task.options(masks=True))

    scores = official_scores("drivable", world.rles, out / "drivable.json")
    assert scores["IoU"] == [{"direct": 100.0, "alternative": 100.0}, {"AVERAGE": 100.0}]
    scores = official_scores("drivable", world.masks, out / "masks")
    assert scores["IoU"][-1] == {"AVERAGE": 100.0}
    assert scores["IoU"][0]["direct"] == scores["IoU"][0]["alternative"] == 100.0

    frames = json.loads((out / "drivable.json").read_text())["frames"]
    assert [[label["category"] for label in frame["labels"]] for frame in frames] == [
        ["direct", "alternative", "background"]
    ] * 3


def test_exact_frame() -> None:
    segmentation = np.array([[2, 2, 1], [0, 0, 1]])
    task = drivable_task()
    convert = task.converter(load_config(CONFIG), task.options(), task.classes)
    prediction = convert(segmentation, ImageRecord(0, "x.jpg", "/x.jpg"))
    assert prediction.entries == {
        "drivable": {
            "name": "x.jpg",
            "labels": [
                {"category": "direct", "rle": {"counts": "11101", "size": [2, 3]}},
                {"category": "alternative", "rle": {"counts": "42", "size": [2, 3]}},
                {"category": "background", "rle": {"counts": "01102", "size": [2, 3]}},
            ],
        }
    }


def test_nothing_own_classes_and_arrays() -> None:
    task = drivable_task()
    convert = task.converter(load_config(CONFIG), task.options(masks=True), ("mine", "theirs"))
    record = ImageRecord(0, "x.jpg", "/x.jpg")
    nothing = convert.nothing(record, 2, 3)
    assert nothing.entries == {"drivable": {"name": "x.jpg", "labels": []}}
    assert nothing.pictures["masks/x.png"].tolist() == [[255] * 3] * 2
    labels = convert(np.array([[1, 0]]), record).entries["drivable"]["labels"]
    assert [label["category"] for label in labels] == ["mine", "theirs"]
    class_map = convert.arrays(np.array([[1, 0]]))["class_map"]
    assert (class_map.dtype, class_map.tolist()) == (np.uint8, [[1, 0]])


def test_training_samples(segmentation_world: Any) -> None:
    world = segmentation_world("drivable")
    cfg = load_config(CONFIG, data_root=world.root)
    cfg.data.val.pipeline = cfg.data.train.pipeline
    dataset = drivable_task().build_dataset(cfg.data.val)
    assert dataset.CLASSES == classes.DRIVABLE
    assert set(dataset[1]["gt_semantic_seg"].data.unique().tolist()) <= {0, 1, 2, 255}


def test_the_config_tells_the_task() -> None:
    assert task_of(load_config(CONFIG)).name == "drivable"
