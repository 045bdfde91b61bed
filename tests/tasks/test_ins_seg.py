"""ins_seg: true instances come out as files that the official evaluator finds perfect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from scalabel.label.io import load

from bdd100k_models import load_config
from bdd100k_models.errors import UserError
from bdd100k_models.frames.instance import CroppedMask
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import Converter, ImageRecord, Task
from bdd100k_models.tasks.ins_seg import Instances
from bdd100k_models.zoo import classes

CONFIG = "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k"
HEIGHT, WIDTH = 720, 1280


def ins_seg_task() -> Task:
    task = get_task("ins_seg")
    task.register()
    return task


def ins_seg_converter(names: tuple[str, ...] = classes.INS_SEG) -> Converter:
    task = get_task("ins_seg")
    return task.converter(load_config(CONFIG), task.options(), names)


@dataclass(frozen=True)
class Shape:
    """An ellipse: class index, centre, half axes, score."""

    label: int
    x: int
    y: int
    across: int
    down: int
    score: float

    def mask(self) -> np.ndarray:
        """(720, 1280) bool."""
        rows, columns = np.ogrid[:HEIGHT, :WIDTH]
        return ((columns - self.x) / self.across) ** 2 + ((rows - self.y) / self.down) ** 2 <= 1


def cropped(mask: np.ndarray) -> CroppedMask:
    """A full mask as the mask head gives it: what is around the object."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y, x = rows[0], columns[0]
    return CroppedMask(mask[y : rows[-1] + 1, x : columns[-1] + 1], x=int(x), y=int(y))


def as_predicted(shapes: Sequence[Shape]) -> tuple[list[np.ndarray], list[list[CroppedMask]]]:
    """Boxes and whole masks by class, as MMDetection's models give them."""
    boxes: list[np.ndarray] = []
    masks: list[list[CroppedMask]] = []
    for label in range(len(classes.INS_SEG)):
        own = [cropped(shape.mask()) for shape in shapes if shape.label == label]
        scores = [shape.score for shape in shapes if shape.label == label]
        corners = [(m.x, m.y, m.x + m.crop.shape[1], m.y + m.crop.shape[0]) for m in own]
        rows = [(*corner, score) for corner, score in zip(corners, scores, strict=True)]
        boxes.append(np.array(rows, dtype=np.float32).reshape(-1, 5))
        masks.append(own)
    return boxes, masks


def visible_masks(shapes: Sequence[Shape]) -> list[tuple[Shape, np.ndarray]]:
    """What is to be seen of each, the higher score on top."""
    taken = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    found = []
    for shape in sorted(shapes, key=lambda shape: -shape.score):
        found.append((shape, shape.mask() & ~taken))
        taken |= shape.mask()
    return found


class Oracle(torch.nn.Module):
    """Gives the shapes that it was told for a picture, called as MMDetection's models are."""

    def __init__(self, shapes: dict[str, list[Shape]]) -> None:
        super().__init__()
        self.shapes = shapes

    def forward(
        self,
        img: list[torch.Tensor],
        img_metas: list[list[dict[str, Any]]],
        return_loss: bool,
        rescale: bool,
    ) -> list[Any]:
        assert rescale and not return_loss
        names = [Path(meta["filename"]).name for meta in img_metas[0]]
        return [as_predicted(self.shapes[name]) for name in names]


class World:
    """Pictures and both forms of labels of a validation split, in the official layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        random = np.random.default_rng(5)
        self.shapes: dict[str, list[Shape]] = {"b.jpg": []}
        for name in ("a.jpg", "c.jpg"):
            places = [(80 + 150 * i, 90 + 180 * j) for i in range(8) for j in range(4)]
            self.shapes[name] = [
                Shape(
                    label=number % 8,
                    x=x,
                    y=y,
                    across=int(random.integers(30, 100)),
                    down=int(random.integers(30, 80)),
                    score=float(np.float32(random.uniform(0.1, 1))),
                )
                for number, (x, y) in enumerate(places)
            ]
        self.rles = root / "labels" / "ins_seg" / "rles" / "ins_seg_val.json"
        self.bitmasks = root / "labels" / "ins_seg" / "bitmasks" / "val"
        self.images = root / "images" / "10k" / "val"
        for folder in (self.rles.parent, self.bitmasks, self.images):
            folder.mkdir(parents=True)
        frames = [self._write(name) for name in sorted(self.shapes)]
        self.rles.write_text(json.dumps({"frames": frames}))

    def _write(self, name: str) -> dict[str, Any]:
        Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(self.images / name)
        bitmask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        labels = []
        for number, (shape, mask) in enumerate(visible_masks(self.shapes[name]), start=1):
            assert mask.sum() > 100
            bitmask[mask] = shape.label + 1, 0, number >> 8, number & 255
            rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            rle["counts"] = rle["counts"].decode()
            category = classes.INS_SEG[shape.label]
            labels.append({"id": str(number), "category": category, "rle": rle})
        Image.fromarray(bitmask).save(self.bitmasks / name.replace(".jpg", ".png"))
        return {"name": name, "labels": labels}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "data")


def test_truth_scores_perfectly_in_both_forms(
    world: World, run_task: Any, official_scores: Any
) -> None:
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(ins_seg_task(), cfg, Oracle(world.shapes))
    rle_scores = official_scores("ins_seg", world.rles, out / "ins_seg.json")
    bitmask_scores = official_scores(
        "ins_seg", world.bitmasks, out / "bitmasks", "--score-file", str(out / "score.json")
    )
    for scores in (rle_scores, bitmask_scores):
        assert scores["AP"][0] == pytest.approx(dict.fromkeys(classes.INS_SEG, 100.0))
        assert scores["AP"][-1] == pytest.approx({"OVERALL": 100.0})


def test_the_files_of_a_run(world: World, run_task: Any) -> None:
    out = run_task(ins_seg_task(), load_config(CONFIG, data_root=world.root), Oracle(world.shapes))
    names = ["a.jpg", "b.jpg", "c.jpg"]
    score = json.loads((out / "score.json").read_text())
    assert [frame["name"] for frame in score] == names
    assert [label["index"] for label in score[0]["labels"]] == list(range(1, 33))
    assert score[1]["labels"] == []
    assert [label["id"] for label in score[2]["labels"]][:2] == ["33", "34"]
    for name in ("ins_seg.json", "det.json"):
        frames = load(str(out / name)).frames
        assert [frame.name for frame in frames] == names
        assert [len(frame.labels or []) for frame in frames] == [32, 0, 32]
    found = np.asarray(Image.open(out / "bitmasks" / "a.png"))
    truth = np.asarray(Image.open(world.bitmasks / "a.png"))
    assert found.dtype == np.uint8
    assert np.array_equal(found, truth)
    assert not np.asarray(Image.open(out / "bitmasks" / "b.png")).any()


def test_own_evaluation_sees_mistakes(world: World, run_task: Any) -> None:
    shapes = dict(world.shapes)
    shapes["a.jpg"] = [shape for shape in shapes["a.jpg"] if shape.label != 2]
    task = ins_seg_task()
    out = run_task(task, load_config(CONFIG, data_root=world.root), Oracle(shapes))
    converter = ins_seg_converter()
    scores = task.evaluate(converter, out, world.root, "val", None, 1)
    assert set(task.headline) <= set(scores.summary)
    assert 90 < scores.summary["AP"] < 95
    of_c = task.evaluate(converter, out, world.root, "val", ["c.jpg"], 1)
    assert of_c.summary["AP"] == pytest.approx(100)


def test_exact_entries() -> None:
    empty = np.zeros((0, 5), dtype=np.float32)
    boxes = [empty] * 8
    boxes[2] = np.array([[1, 0, 3, 2, 0.25], [2, 1, 4, 3, 0.75]], dtype=np.float32)
    square = np.ones((2, 2), dtype=np.bool_)
    masks: list[list[CroppedMask]] = [[] for _ in range(8)]
    masks[2] = [CroppedMask(square, x=1, y=0), CroppedMask(square, x=2, y=1)]
    result = Instances(boxes, masks, height=3, width=5)
    prediction = ins_seg_converter()(result, ImageRecord(0, "night/x.jpg", "/x.jpg"))
    rle = coco_mask.encode(np.asfortranarray([[0, 1, 1, 0, 0], [0, 1, 0, 0, 0], [0] * 5], np.uint8))
    assert prediction.entries["det"]["labels"] == [
        {"category": "car", "score": 0.25, "box2d": {"x1": 1.0, "y1": 0.0, "x2": 2.0, "y2": 1.0}},
        {"category": "car", "score": 0.75, "box2d": {"x1": 2.0, "y1": 1.0, "x2": 3.0, "y2": 2.0}},
    ]
    assert prediction.entries["score"] == {
        "name": "night/x.jpg",
        "labels": [{"index": 1, "score": 0.75}, {"index": 2, "score": 0.25}],
    }
    lower = prediction.entries["ins_seg"]["labels"][1]
    assert lower == {
        "category": "car",
        "score": 0.25,
        "rle": {"counts": rle["counts"].decode(), "size": [3, 5]},
    }
    ((place, bitmask),) = prediction.pictures.items()
    assert place == "bitmasks/night/x.png"
    assert bitmask[..., 3].tolist() == [[0, 2, 2, 0, 0], [0, 2, 1, 1, 0], [0, 0, 1, 1, 0]]
    assert bitmask[..., 0].max() == 3


def two_instances() -> Instances:
    """Of the first and the second of two classes; the latter covers a part of the former."""
    boxes = [np.array([[1, 0, 3, 2, 0.25]]), np.array([[2, 1, 4, 3, 0.75]])]
    square = np.ones((2, 2), dtype=np.bool_)
    masks = [[CroppedMask(square, x=1, y=0)], [CroppedMask(square, x=2, y=1)]]
    return Instances([each.astype(np.float32) for each in boxes], masks, height=3, width=5)


def test_own_classes_name_the_results() -> None:
    convert = ins_seg_converter(("tram", "cow"))
    entries = convert(two_instances(), ImageRecord(0, "x.jpg", "/x.jpg")).entries
    assert [label["category"] for label in entries["det"]["labels"]] == ["tram", "cow"]
    # The best first.
    assert [label["category"] for label in entries["ins_seg"]["labels"]] == ["cow", "tram"]


def test_nothing() -> None:
    prediction = ins_seg_converter().nothing(ImageRecord(0, "a/x.jpg", "/x.jpg"), 3, 5)
    empty = {"name": "a/x.jpg", "labels": []}
    assert prediction.entries == {"ins_seg": empty, "det": empty, "score": empty}
    ((place, bitmask),) = prediction.pictures.items()
    assert place == "bitmasks/a/x.png"
    assert bitmask.dtype == np.uint8
    assert np.array_equal(bitmask, np.zeros((3, 5, 4)))


def test_arrays() -> None:
    found = ins_seg_converter().arrays(two_instances())
    assert {name: array.dtype for name, array in found.items()} == {
        "boxes": np.float32,
        "scores": np.float32,
        "classes": np.int64,
        "masks": np.bool_,
    }
    assert found["boxes"].tolist() == [[1, 0, 3, 2], [2, 1, 4, 3]]
    assert found["scores"].tolist() == [0.25, 0.75]
    assert found["classes"].tolist() == [0, 1]
    # Whole instances: what is covered is there.
    assert found["masks"].astype(int).tolist() == [
        [[0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0] * 5],
        [[0] * 5, [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]],
    ]
    none = [np.zeros((0, 5), np.float32)]
    empty = ins_seg_converter().arrays(Instances(none, [[]], height=3, width=5))
    assert empty["masks"].shape == (0, 3, 5)
    assert empty["boxes"].shape == (0, 4)


def test_classes_come_from_category_names(world: World, tmp_path: Path) -> None:
    categories = [{"id": 9 - i, "name": name} for i, name in enumerate(reversed(classes.INS_SEG))]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
        "categories": categories,
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": next(c["id"] for c in categories if c["name"] == "car"),
                "bbox": [10, 10, 50, 50],
                "area": 2500,
                "iscrowd": 0,
                "segmentation": [[10, 10, 60, 10, 60, 60, 10, 60]],
            }
        ],
    }
    cfg = load_config(CONFIG, data_root=world.root)
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps(content))
    cfg.data.val.update(ann_file=str(annotations), pipeline=cfg.data.train.pipeline)
    dataset = ins_seg_task().build_dataset(cfg.data.val)
    assert dataset.CLASSES == classes.INS_SEG
    sample = dataset[0]
    assert sample["gt_labels"].data.tolist() == [classes.INS_SEG.index("car")]
    assert int(sample["gt_masks"].data.masks.sum()) == 2500

    del content["categories"][3]
    annotations.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"annotations.json has no category .*prepare_data"):
        ins_seg_task().build_dataset(cfg.data.val)
