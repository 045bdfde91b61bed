"""pan_seg: true maps come out as files that the official evaluator finds perfect."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models.seg_heads.panoptic_fusion_heads import HeuristicFusionHead
from PIL import Image
from pycocotools import mask as coco_mask
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.errors import UserError
from bdd100k_models.frames.panoptic import panoptic_bitmask
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import Converter, ImageRecord, Task
from bdd100k_models.zoo import classes

CONFIG = "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k"
HEIGHT, WIDTH = 720, 1280
NAMES = ("b.jpg", "a.jpg", "c.jpg")
THINGS, STUFF = classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF
VOID = len(classes.PAN_SEG)


def pan_seg_task() -> Task:
    task = get_task("pan_seg")
    task.register()
    return task


def pan_seg_options(*argv: str) -> Any:
    parser = ArgumentParser()
    pan_seg_task().add_arguments(parser)
    return pan_seg_task().options_from(parser.parse_args(argv))


def pan_seg_converter(*argv: str, names: tuple[str, ...] = classes.PAN_SEG) -> Converter:
    return pan_seg_task().converter(load_config(CONFIG), pan_seg_options(*argv), names)


class Oracle(nn.Module):
    """Gives the map that it was told for a picture, called as MMDetection's models are."""

    def __init__(self, maps: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.panoptic_fusion_head = HeuristicFusionHead(len(THINGS), len(STUFF))
        self.semantic_head = nn.Identity()
        self.maps = maps
        self.batches: list[int] = []

    def forward(
        self,
        img: list[torch.Tensor],
        img_metas: list[list[dict[str, Any]]],
        return_loss: bool,
        rescale: bool,
    ) -> list[dict[str, np.ndarray]]:
        assert rescale and not return_loss
        assert len(img[0]) == len(img_metas[0])
        assert len({meta["ori_shape"] for meta in img_metas[0]}) == 1
        self.batches.append(len(img[0]))
        names = [Path(meta["filename"]).name for meta in img_metas[0]]
        return [{"pan_results": self.maps[name]} for name in names]


def random_map(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(H, W) int32 with every kind of stuff, two instances of every thing, and void."""
    random = np.random.default_rng(seed)
    blocks = random.integers(10, 40, (9, 16))
    blocks.flat[:30] = np.arange(10, 40)
    blocks.flat[40:60] = np.arange(1, 21) * 1000 + np.arange(20) // 2
    blocks.flat[70:73] = VOID
    scale = np.ones((height // 9, width // 16), dtype=np.int32)
    return np.kron(blocks, scale).astype(np.int32)


class World:
    """Pictures and all forms of labels of a validation split, in the official layout."""

    def __init__(self, root: Path, sizes: tuple[tuple[int, int], ...] = ((HEIGHT, WIDTH),) * 3):
        self.root = root
        self.maps = {
            name: random_map(seed, *size)
            for seed, (name, size) in enumerate(zip(NAMES, sizes, strict=True))
        }
        self.rles = root / "labels" / "pan_seg" / "rles" / "pan_seg_val.json"
        self.bitmasks = root / "labels" / "pan_seg" / "bitmasks" / "val"
        self.images = root / "images" / "10k" / "val"
        self.pngs = root / "jsons" / "pan_seg" / "masks" / "val"
        for folder in (self.rles.parent, self.bitmasks, self.images, self.pngs):
            folder.mkdir(parents=True)
        written = [self._write(number, name) for number, name in enumerate(sorted(self.maps))]
        self.rles.write_text(json.dumps({"frames": [frame for frame, _, _ in written]}))
        # Stuff first and an additional category, as the toolkit's converter lists them.
        self.categories = [
            {"id": number, "name": name, "isthing": int(name in THINGS)}
            for number, name in enumerate(("unlabeled", *STUFF, *THINGS))
        ]
        self.coco = root / "jsons" / "pan_seg_val_cocofmt.json"
        self.write_coco([image for _, image, _ in written], [entry for _, _, entry in written])

    def write_coco(self, images: list[Any], annotations: list[Any]) -> None:
        content = {
            "images": images,
            "annotations": annotations[::-1],
            "categories": self.categories,
        }
        self.coco.write_text(json.dumps(content))

    def _write(self, number: int, name: str) -> tuple[dict[str, Any], ...]:
        truth = self.maps[name]
        height, width = truth.shape
        png = name.replace(".jpg", ".png")
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(self.images / name)
        bitmask = panoptic_bitmask(truth, THINGS, STUFF)
        Image.fromarray(bitmask).save(self.bitmasks / png)
        ids = bitmask[..., 2].astype(int) * 256 + bitmask[..., 3]
        coloured = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=2)
        Image.fromarray(coloured.astype(np.uint8)).save(self.pngs / png)
        labels, segments = [], []
        for segment in np.unique(ids[ids > 0]).tolist():
            mask = ids == segment
            category_id = int(bitmask[mask][0, 0])
            rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
            box, area = coco_mask.toBbox(rle).tolist(), int(mask.sum())
            rle["counts"] = rle["counts"].decode()
            category = (*STUFF, *THINGS)[category_id - 1]
            labels.append({"id": str(segment), "category": category, "rle": rle})
            segments.append(
                {
                    "id": segment,
                    "category_id": category_id,
                    "area": area,
                    "bbox": box,
                    "iscrowd": 0,
                }
            )
        image = {"id": number, "file_name": name, "height": height, "width": width}
        entry = {"image_id": number, "file_name": png, "segments_info": segments}
        return {"name": name, "labels": labels}, image, entry


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "data")


def test_truth_scores_perfectly_in_both_forms(
    world: World, run_task: Any, official_scores: Any
) -> None:
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(pan_seg_task(), cfg, Oracle(world.maps), options=pan_seg_options("--masks"))
    forms = ((world.rles, out / "pan_seg.json"), (world.bitmasks, out / "bitmasks"))
    for truth, result in forms:
        scores = official_scores("pan_seg", truth, result)
        assert scores["PQ"][-1] == {"OVERALL": pytest.approx(100.0)}
        assert scores["PQ"][0] == pytest.approx(dict.fromkeys(classes.PAN_SEG, 100.0))
    frames = json.loads((out / "pan_seg.json").read_text())["frames"]
    assert [frame["name"] for frame in frames] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [len(frame["labels"]) for frame in frames] == [50, 50, 50]


def test_own_evaluation_sees_mistakes(world: World, run_task: Any) -> None:
    task = pan_seg_task()
    maps = dict(world.maps)
    maps["a.jpg"] = np.where(maps["a.jpg"] == 39, VOID, maps["a.jpg"])
    out = run_task(task, load_config(CONFIG, data_root=world.root), Oracle(maps))
    scores = task.evaluate(pan_seg_converter(), out, world.root, "val", None, 1)
    assert set(task.headline) <= set(scores.summary)
    # Of one of 40 classes, one of three segments is not found: 2 / (2 + 0.5).
    assert scores.summary["PQ"] == pytest.approx(100 - (100 - 80) / 40)


def test_exact_frame() -> None:
    panoptic = np.full((4, 6), VOID, dtype=np.int32)
    panoptic[:2] = 39
    panoptic[1:3, 2:4] = 1004
    prediction = pan_seg_converter("--masks")(panoptic, ImageRecord(0, "x.jpg", "/x.jpg"))
    labels = prediction.entries["pan_seg"]["labels"]
    assert [(label["id"], label["category"]) for label in labels] == [
        ("39", "sky"),
        ("1004", "car"),
    ]
    for label in labels:
        assert np.array_equal(coco_mask.decode(label["rle"]), panoptic == int(label["id"]))
    ((place, bitmask),) = prediction.pictures.items()
    assert place == "bitmasks/x.png"
    assert bitmask[0, 0].tolist() == [30, 0, 0, 30]
    assert bitmask[2, 2].tolist() == [35, 0, 0, 31]
    assert bitmask[3, 0].tolist() == [0, 0, 0, 0]
    assert pan_seg_converter()(panoptic, ImageRecord(0, "x.jpg", "/x.jpg")).pictures == {}


def test_own_classes_name_the_results() -> None:
    options = {
        "model.panoptic_fusion_head.num_things_classes": 2,
        "model.panoptic_fusion_head.num_stuff_classes": 1,
    }
    cfg = load_config(CONFIG, options=options)
    names = ("tram", "cow", "meadow")
    convert = pan_seg_task().converter(cfg, pan_seg_options("--masks"), names)
    panoptic = np.array([[2, 2, 1001], [3, 3, 1001], [2000, 3, 3]], dtype=np.int32)
    prediction = convert(panoptic, ImageRecord(0, "x.jpg", "/x.jpg"))
    labels = prediction.entries["pan_seg"]["labels"]
    assert [(label["id"], label["category"]) for label in labels] == [
        ("2", "meadow"),
        ("1001", "cow"),
        ("2000", "tram"),
    ]
    # Stuff counts first, from 1.
    assert prediction.pictures["bitmasks/x.png"][..., 0].tolist() == [
        [1, 1, 3],
        [0, 0, 3],
        [2, 0, 0],
    ]


def test_nothing() -> None:
    record = ImageRecord(0, "a/x.jpg", "/x.jpg")
    prediction = pan_seg_converter().nothing(record, 4, 6)
    assert prediction.entries == {"pan_seg": {"name": "a/x.jpg", "labels": []}}
    assert prediction.pictures == {}
    prediction = pan_seg_converter("--masks").nothing(record, 4, 6)
    assert prediction.entries == {"pan_seg": {"name": "a/x.jpg", "labels": []}}
    ((place, bitmask),) = prediction.pictures.items()
    assert place == "bitmasks/a/x.png"
    assert bitmask.dtype == np.uint8
    # One ignored segment, as the evaluator takes no bitmask that has none.
    assert np.array_equal(bitmask, np.broadcast_to([0, 3, 0, 1], (4, 6, 4)))


def test_arrays() -> None:
    panoptic = np.array([[39, VOID, 1009], [12002, 12002, 10]], dtype=np.int64)
    found = pan_seg_converter().arrays(panoptic)
    assert list(found) == ["class_map", "instance_map"]
    assert found["class_map"].dtype == np.uint8
    assert found["class_map"].tolist() == [[39, VOID, 9], [2, 2, 10]]
    assert found["instance_map"].dtype == np.int32
    assert found["instance_map"].tolist() == [[0, 0, 1], [12, 12, 0]]


def test_pictures_of_different_sizes_share_a_batch(tmp_path: Path, run_task: Any) -> None:
    world = World(tmp_path / "data", ((HEIGHT, WIDTH), (360, 640), (HEIGHT, WIDTH)))
    model = Oracle(world.maps)
    cfg = load_config(CONFIG, data_root=world.root)
    out = run_task(pan_seg_task(), cfg, model, batch_size=3)
    assert sorted(model.batches) == [1, 2]
    frames = json.loads((out / "pan_seg.json").read_text())["frames"]
    assert [frame["labels"][0]["rle"]["size"] for frame in frames] == [
        [360, 640],
        [HEIGHT, WIDTH],
        [HEIGHT, WIDTH],
    ]


def build_dataset(world: World, *, train: bool) -> Any:
    cfg = load_config(CONFIG, data_root=world.root)
    if train:
        cfg.data.val.pipeline = cfg.data.train.pipeline
    return pan_seg_task().build_dataset(cfg.data.val, None if train else {"test_mode": True})


def test_training_samples_have_the_classes_of_the_weights(world: World) -> None:
    dataset = build_dataset(world, train=True)
    assert dataset.CLASSES == classes.PAN_SEG
    assert [info["filename"] for info in dataset.data_infos] == ["a.jpg", "b.jpg", "c.jpg"]
    sample = dataset[0]
    truth = world.maps["a.jpg"]
    assert sample["gt_labels"].data.tolist() == [index // 2 for index in range(20)]
    assert sample["gt_masks"].data.masks.shape[0] == 20
    semantic = sample["gt_semantic_seg"].data[0].numpy()
    flipped = sample["img_metas"].data["flip"]
    small = truth[2::4, 2::4]
    wanted = np.where(small == VOID, 255, small % 1000)
    assert np.array_equal(semantic[:180, :320][:, ::-1] if flipped else semantic[:180], wanted)
    x1, y1, x2, y2 = sample["gt_bboxes"].data[0].tolist()
    assert (x2 - x1, y2 - y1) == (80, 80)


def test_crowds_and_images_without_things(world: World) -> None:
    content = json.loads(world.coco.read_text())
    for annotation in content["annotations"]:
        for segment in annotation["segments_info"]:
            if annotation["file_name"] == "a.png":
                segment["iscrowd"] = 1
    world.write_coco(content["images"], content["annotations"])
    dataset = build_dataset(world, train=True)
    assert [info["filename"] for info in dataset.data_infos] == ["b.jpg", "c.jpg"]
    everything = build_dataset(world, train=False)
    annotation = everything.get_ann_info(0)
    assert annotation["bboxes"].shape == (0, 4)
    assert annotation["bboxes_ignore"].shape == (20, 4)
    assert not any(mask["is_thing"] for mask in annotation["masks"])


def test_evaluation_during_training(world: World) -> None:
    dataset = build_dataset(world, train=False)
    results = [{"pan_results": world.maps[name]} for name in sorted(world.maps)]
    scores = dataset.evaluate(results, metric=["PQ"])
    assert scores == pytest.approx({"PQ": 100.0, "SQ": 100.0, "RQ": 100.0})
    results[0] = {"pan_results": np.full((HEIGHT, WIDTH), VOID)}
    assert dataset.evaluate(results)["PQ"] < 90


def test_a_missing_category(world: World) -> None:
    del world.categories[7]
    content = json.loads(world.coco.read_text())
    world.write_coco(content["images"], [])
    with pytest.raises(UserError, match=r"pan_seg_val_cocofmt.json has no category road"):
        build_dataset(world, train=False)
