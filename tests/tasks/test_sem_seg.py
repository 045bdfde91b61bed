"""sem_seg: true maps come out as files that the official evaluator finds perfect."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bdd100k_models import load_config
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import Converter, ImageRecord, Task
from bdd100k_models.zoo import classes

CONFIG = "fcn_r50-d8_512x1024_40k_sem_seg_bdd100k"
NAMES = ["a.jpg", "b.jpg", "c.jpg"]


def sem_seg_task() -> Task:
    task = get_task("sem_seg")
    task.register()
    return task


def sem_seg_options(*argv: str) -> Any:
    parser = ArgumentParser()
    sem_seg_task().add_arguments(parser)
    return sem_seg_task().options_from(parser.parse_args(argv))


def sem_seg_converter(*argv: str, names: tuple[str, ...] = classes.SEM_SEG) -> Converter:
    return sem_seg_task().converter(load_config(CONFIG), sem_seg_options(*argv), names)


def test_truth_scores_perfectly_in_both_forms(
    segmentation_world: Any, run_task: Any, official_scores: Any
) -> None:
    world = segmentation_world("sem_seg")
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(sem_seg_task(), cfg, world.oracle(), options=sem_seg_options("--masks"))

    forms = ((world.rles, out / "sem_seg.json"), (world.masks, out / "masks"))
    for truth, result in forms:
        scores = official_scores("sem_seg", truth, result)
        assert scores["IoU"] == [dict.fromkeys(classes.SEM_SEG, 100.0), {"AVERAGE": 100.0}]
        assert scores["pAcc"] == 100.0

    frames = json.loads((out / "sem_seg.json").read_text())["frames"]
    assert [frame["name"] for frame in frames] == NAMES
    ids = [label["id"] for frame in frames for label in frame["labels"]]
    assert ids == [str(number) for number in range(1, 3 * 19 + 1)]


def test_own_evaluation_sees_mistakes(segmentation_world: Any, run_task: Any) -> None:
    world = segmentation_world("sem_seg")
    predicted = world.predicted()
    predicted["a.jpg"][:360] = 0
    task = sem_seg_task()
    out = run_task(task, load_config(CONFIG, data_root=world.root), world.oracle(predicted))

    untouched = task.evaluate(sem_seg_converter(), out, world.root, "val", ["b.jpg"], 1)
    assert untouched.images == 1
    assert untouched.summary["mIoU"] == 100.0

    scores = task.evaluate(sem_seg_converter(), out, world.root, "val", None, 1)
    right = sum(int((predicted[name] == world.maps[name]).sum()) for name in NAMES)
    labelled = sum(int((world.maps[name] != 255).sum()) for name in NAMES)
    assert scores.summary["pAcc"] == pytest.approx(100 * right / labelled)
    assert set(task.headline) <= set(scores.summary)


def test_exact_frame() -> None:
    segmentation = np.zeros((4, 6), np.int64)
    segmentation[1:3, 2:4] = 13
    prediction = sem_seg_converter()(segmentation, ImageRecord(0, "x.jpg", "/x.jpg"))
    assert prediction.entries["sem_seg"] == {
        "name": "x.jpg",
        "labels": [
            {"category": "road", "rle": {"counts": "092I07", "size": [4, 6]}},
            {"category": "car", "rle": {"counts": "92207", "size": [4, 6]}},
        ],
    }
    for label, value in zip(prediction.entries["sem_seg"]["labels"], (0, 13), strict=True):
        assert np.array_equal(coco_mask.decode(label["rle"]), segmentation == value)
    assert list(prediction.entries) == ["sem_seg"]
    assert prediction.pictures == {}


@pytest.mark.parametrize(
    ("name", "place"), [("x.jpg", "masks/x.png"), ("night/x.jpeg", "masks/night/x.png")]
)
def test_masks_are_named_as_the_pictures(name: str, place: str) -> None:
    segmentation = np.full((3, 5), 18)
    prediction = sem_seg_converter("--masks")(segmentation, ImageRecord(0, name, name))
    assert list(prediction.pictures) == [place]
    assert prediction.pictures[place].dtype == np.uint8
    assert np.array_equal(prediction.pictures[place], segmentation)


def test_own_classes_name_the_results() -> None:
    convert = sem_seg_converter(names=("grass", "gravel"))
    prediction = convert(np.array([[0, 1, 1]]), ImageRecord(0, "x.jpg", "/x.jpg"))
    labels = prediction.entries["sem_seg"]["labels"]
    assert [label["category"] for label in labels] == ["grass", "gravel"]


def test_classes_of_a_checkpoint_name_a_run(segmentation_world: Any, run_task: Any) -> None:
    world = segmentation_world("sem_seg", {"a.jpg": np.kron([[0, 1]], np.ones((720, 640), int))})
    names = tuple(f"kind {number}" for number in range(19))
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(sem_seg_task(), cfg, world.oracle(), classes=names)
    (frame,) = json.loads((out / "sem_seg.json").read_text())["frames"]
    assert [label["category"] for label in frame["labels"]] == ["kind 0", "kind 1"]


def test_nothing() -> None:
    record = ImageRecord(0, "a/x.jpg", "/x.jpg")
    prediction = sem_seg_converter().nothing(record, 4, 6)
    assert prediction.entries == {"sem_seg": {"name": "a/x.jpg", "labels": []}}
    assert prediction.pictures == {}
    prediction = sem_seg_converter("--masks").nothing(record, 4, 6)
    assert prediction.entries == {"sem_seg": {"name": "a/x.jpg", "labels": []}}
    ((place, mask),) = prediction.pictures.items()
    assert place == "masks/a/x.png"
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, np.full((4, 6), 255))


def test_arrays() -> None:
    found = sem_seg_converter().arrays(np.array([[0, 18, 7], [3, 3, 1]], np.int64))
    assert list(found) == ["class_map"]
    assert found["class_map"].dtype == np.uint8
    assert found["class_map"].tolist() == [[0, 18, 7], [3, 3, 1]]


def test_pictures_of_different_sizes_share_a_batch(segmentation_world: Any, run_task: Any) -> None:
    # The pipeline brings all of these to one size, but their maps have to come out in their own.
    sizes = {"a.jpg": (720, 1280), "b.jpg": (360, 640), "c.jpg": (720, 1280)}
    maps = {name: np.full(size, index) for index, (name, size) in enumerate(sizes.items())}
    world = segmentation_world("sem_seg", maps)
    model = world.oracle()
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(sem_seg_task(), cfg, model, batch_size=3)
    assert sorted(model.batches) == [1, 2]
    frames = json.loads((out / "sem_seg.json").read_text())["frames"]
    found = [(f["name"], f["labels"][0]["category"], f["labels"][0]["rle"]["size"]) for f in frames]
    assert found == [
        ("a.jpg", "road", [720, 1280]),
        ("b.jpg", "sidewalk", [360, 640]),
        ("c.jpg", "building", [720, 1280]),
    ]


def test_no_images(tmp_path: Path) -> None:
    cfg = load_config(CONFIG, data_root=tmp_path)
    with pytest.raises(UserError, match=r"no images for sem_seg: looked for .*pass --data-root"):
        sem_seg_task().records(cfg)


def test_training_samples(segmentation_world: Any) -> None:
    world = segmentation_world("sem_seg")
    cfg = load_config(CONFIG, data_root=world.root)
    cfg.data.val.pipeline = cfg.data.train.pipeline
    dataset = sem_seg_task().build_dataset(cfg.data.val)
    assert dataset.CLASSES == classes.SEM_SEG
    assert [info["filename"] for info in dataset.img_infos] == NAMES
    sample = dataset[0]
    assert sample["img"].data.shape == (3, 512, 1024)
    assert set(sample["gt_semantic_seg"].data.unique().tolist()) <= {*range(19), 255}


def test_a_run_with_masks_does_not_resume_one_without() -> None:
    assert sem_seg_converter().identity() != sem_seg_converter("--masks").identity()
