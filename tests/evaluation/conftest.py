"""A tiny labelled world in the official layout, with predictions that are right in part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bdd100k.label.label import labels as official_labels
from PIL import Image
from pycocotools import mask as coco_mask

from bdd100k_models.zoo import classes

HEIGHT, WIDTH, BLOCK = 720, 1280, 80
NAMES = [f"scene-{index}.jpg" for index in range(4)]
PANOPTIC_IDS = {label.name: label.id for label in official_labels}


def rle(mask: np.ndarray) -> dict[str, Any]:
    """(H, W) bool -> the RLE of a Scalabel label."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": encoded["counts"].decode(), "size": [*mask.shape]}


class World:
    """Truth and predictions of every task for the images in ``NAMES``, written on demand."""

    def __init__(self, root: Path) -> None:
        self.labels = root / "labels"
        self.out = root / "out"
        self.random = np.random.default_rng(7)
        self.out.mkdir()

    def path(self, *parts: str) -> Path:
        path = self.labels.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def save(self, path: Path, frames: list[dict[str, Any]], bare: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = 0
        for frame in frames:
            for label in frame.get("labels") or ():
                count += 1
                label.setdefault("id", str(count))
        path.write_text(json.dumps(frames if bare else {"frames": frames}))
        return path

    def rectangles(self, number: int) -> np.ndarray:
        """(number, 4) int x1 y1 x2 y2, inclusive, apart from each other by construction."""
        columns = self.random.permutation(WIDTH // 160)[:number] * 160
        x1 = columns + self.random.integers(0, 20, number)
        y1 = self.random.integers(0, 500, number)
        width = self.random.integers(40, 130, number)
        height = self.random.integers(40, 200, number)
        return np.stack([x1, y1, x1 + width - 1, y1 + height - 1], axis=1)

    def block_map(self, num_classes: int) -> np.ndarray:
        """(H, W) uint8 of square blocks."""
        small = self.random.integers(0, num_classes, (HEIGHT // BLOCK, WIDTH // BLOCK))
        return np.kron(small, np.ones((BLOCK, BLOCK))).astype(np.uint8)

    def disturbed(self, truth: np.ndarray, num_classes: int) -> np.ndarray:
        """The same map with a fifth of the blocks replaced."""
        other = self.block_map(num_classes)
        replace = np.kron(
            self.random.random((HEIGHT // BLOCK, WIDTH // BLOCK)) < 0.2, np.ones((BLOCK, BLOCK))
        ).astype(bool)
        return np.where(replace & (truth != 255), other, truth)

    # -- one method per task: (ground truth, predictions) ------------------------------------

    def det(self) -> tuple[Path, Path]:
        truth, predicted = [], []
        for name in NAMES:
            boxes = self.rectangles(6)
            names = self.random.choice(classes.DET, 6)
            true_labels = [
                {"category": str(category), "box2d": _box(box)}
                for category, box in zip(names, boxes, strict=True)
            ]
            true_labels.append({"category": "other vehicle", "box2d": _box([5, 600, 90, 700])})
            truth.append(
                {
                    "name": name,
                    "attributes": {"weather": "clear", "scene": "highway", "timeofday": "night"},
                    "labels": true_labels,
                }
            )
            moved = boxes + self.random.integers(-8, 9, boxes.shape)
            predicted.append(
                {
                    "name": name,
                    "labels": [
                        {
                            "category": str(category),
                            "score": float(self.random.random()),
                            "box2d": _box(box),
                        }
                        for category, box in zip(names, moved[:5], strict=False)
                    ],
                }
            )
        return (
            self.save(self.path("det_20", "det_val.json"), truth, bare=True),
            self.save(self.out / "det.json", predicted),
        )

    def pose(self) -> tuple[Path, Path]:
        truth, predicted = [], []
        for name in NAMES:
            true_labels, predicted_labels = [], []
            for box in self.rectangles(3):
                low, high = box[:2], box[2:]
                points = self.random.uniform(low, high, (len(classes.POSE_KEYPOINTS), 2))
                true_labels.append(
                    {
                        "category": "pedestrian",
                        "box2d": _box(box),
                        "graph": _graph(points, visibility="V"),
                    }
                )
                moved = points + self.random.normal(0, 3, points.shape)
                score = float(self.random.random())
                predicted_labels.append(
                    {
                        "category": "pedestrian",
                        "score": score,
                        "box2d": _box(box),
                        "graph": _graph(moved, score=score),
                    }
                )
            truth.append({"name": name, "labels": true_labels})
            predicted.append({"name": name, "labels": predicted_labels})
        return (
            self.save(self.path("pose_21", "pose_val.json"), truth),
            self.save(self.out / "result_keypoints.json", predicted),
        )

    def semantic(self, task: str) -> tuple[Path, Path, Path, Path]:
        """JSON truth, JSON predictions, PNG truth, PNG predictions."""
        names = classes.SEM_SEG if task == "sem_seg" else classes.DRIVABLE
        png_truth = self.path(task, "masks", "val", "_").parent
        png_predicted = self.out / f"{task}_masks"
        png_predicted.mkdir()
        frames: dict[str, list[dict[str, Any]]] = {"truth": [], "predicted": []}
        for name in NAMES:
            truth = self.block_map(len(names))
            if task == "sem_seg":
                truth[:BLOCK] = 255
            predicted = self.disturbed(truth, len(names))
            predicted[predicted == 255] = 0
            stem = Path(name).stem
            Image.fromarray(truth).save(png_truth / f"{stem}.png")
            Image.fromarray(predicted).save(png_predicted / f"{stem}.png")
            for kind, array in (("truth", truth), ("predicted", predicted)):
                labels = [
                    {"category": category, "rle": rle(array == index)}
                    for index, category in enumerate(names)
                    if (array == index).any()
                ]
                frames[kind].append({"name": name, "labels": labels})
        return (
            self.save(self.path(task, "rles", f"{task}_val.json"), frames["truth"]),
            self.save(self.out / f"{task}.json", frames["predicted"]),
            png_truth,
            png_predicted,
        )

    def ins_seg(self) -> tuple[Path, Path, Path, Path, Path]:
        """JSON truth, JSON predictions, PNG truth, PNG predictions, score.json."""
        png_truth = self.path("ins_seg", "bitmasks", "val", "_").parent
        png_predicted = self.out / "bitmasks"
        png_predicted.mkdir()
        truth_frames, predicted_frames, score_frames = [], [], []
        for name in NAMES:
            boxes = self.rectangles(5)
            indices = self.random.integers(0, len(classes.INS_SEG), 5)
            # One direction, within the gap between columns: predictions must not overlap.
            moved = boxes + self.random.integers(0, 9, (5, 1))
            scores = self.random.random(5).tolist()
            stem = Path(name).stem
            _save_bitmask(png_truth / f"{stem}.png", boxes, indices)
            _save_bitmask(png_predicted / f"{stem}.png", moved, indices)
            truth_frames.append({"name": name, "labels": _instances(boxes, indices)})
            predicted_labels = _instances(moved, indices)
            for label, score in zip(predicted_labels, scores, strict=True):
                label["score"] = score
            predicted_frames.append({"name": name, "labels": predicted_labels})
            score_frames.append(
                {
                    "name": name,
                    "labels": [{"index": i + 1, "score": s} for i, s in enumerate(scores)],
                }
            )
        return (
            self.save(self.path("ins_seg", "rles", "ins_seg_val.json"), truth_frames),
            self.save(self.out / "ins_seg.json", predicted_frames),
            png_truth,
            png_predicted,
            self.save(self.out / "score.json", score_frames, bare=True),
        )

    def pan_seg(self) -> tuple[Path, Path, Path, Path]:
        """JSON truth, JSON predictions, PNG truth, PNG predictions."""
        png_truth = self.path("pan_seg", "bitmasks", "val", "_").parent
        png_predicted = self.out / "pan_seg_bitmasks"
        png_predicted.mkdir()
        stuff = ["road", "sky", "building", "vegetation"]
        frames: dict[str, list[dict[str, Any]]] = {"truth": [], "predicted": []}
        for name in NAMES:
            truth = self.block_map(len(stuff))
            boxes = self.rectangles(4)
            things = self.random.choice(["car", "person", "truck"], 4)
            for kind, background, shift, folder in (
                ("truth", truth, 0, png_truth),
                ("predicted", self.disturbed(truth, len(stuff)), 4, png_predicted),
            ):
                category_ids = np.array([PANOPTIC_IDS[name] for name in stuff])[background]
                instance_ids = category_ids.copy()
                for index, (box, thing) in enumerate(zip(boxes + shift, things, strict=True)):
                    region = np.s_[box[1] : box[3] + 1, box[0] : box[2] + 1]
                    category_ids[region] = PANOPTIC_IDS[str(thing)]
                    instance_ids[region] = 31 + index
                zero = np.zeros_like(category_ids)
                bitmask = np.stack(
                    [category_ids, zero, instance_ids >> 8, instance_ids & 255], axis=-1
                ).astype(np.uint8)
                Image.fromarray(bitmask).save(folder / f"{Path(name).stem}.png")
                labels = []
                for instance in np.unique(instance_ids):
                    mask = instance_ids == instance
                    category = official_labels[category_ids[mask][0]].name
                    labels.append({"id": str(instance), "category": category, "rle": rle(mask)})
                frames[kind].append({"name": name, "labels": labels})
        return (
            self.save(self.path("pan_seg", "rles", "pan_seg_val.json"), frames["truth"]),
            self.save(self.out / "pan_seg.json", frames["predicted"]),
            png_truth,
            png_predicted,
        )

    def tagging(self) -> tuple[Path, Path]:
        truth, predicted = [], []
        weather = ["clear", "rainy", "clear", "snowy"]
        guessed = ["clear", "clear", "clear", "snowy"]
        for name, true_tag, tag in zip(NAMES, weather, guessed, strict=True):
            truth.append({"name": name, "attributes": {"weather": true_tag, "scene": "highway"}})
            predicted.append({"name": name, "attributes": {"weather": tag}})
        return (
            self.save(self.path("det_20", "det_val.json"), truth, bare=True),
            self.save(self.out / "tagging.json", predicted),
        )


def _box(values: Any) -> dict[str, float]:
    return dict(zip(("x1", "y1", "x2", "y2"), (float(value) for value in values), strict=True))


def _graph(points: np.ndarray, **of_node: Any) -> dict[str, Any]:
    nodes = [
        {"id": f"n{index}", "category": category, "location": point.tolist(), **of_node}
        for index, (category, point) in enumerate(zip(classes.POSE_KEYPOINTS, points, strict=True))
    ]
    edges = [
        {"source": f"n{source}", "target": f"n{target}", "type": kind}
        for source, target, kind in classes.POSE_EDGES
    ]
    return {"nodes": nodes, "edges": edges, "type": "Pose2D-18Joints"}


def _instances(boxes: np.ndarray, indices: np.ndarray) -> list[dict[str, Any]]:
    labels = []
    for (x1, y1, x2, y2), index in zip(boxes, indices, strict=True):
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[y1 : y2 + 1, x1 : x2 + 1] = True
        labels.append({"category": classes.INS_SEG[index], "rle": rle(mask)})
    return labels


def _save_bitmask(path: Path, boxes: np.ndarray, indices: np.ndarray) -> None:
    bitmask = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    for instance, ((x1, y1, x2, y2), index) in enumerate(zip(boxes, indices, strict=True), 1):
        bitmask[y1 : y2 + 1, x1 : x2 + 1] = (index + 1, 0, instance >> 8, instance & 255)
    Image.fromarray(bitmask).save(path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def edited() -> Callable[[Path, Callable[[Any], Any]], Path]:
    """Rewrite a JSON file through a function on its content; what it returns, if not None."""

    def edit(path: Path, change: Callable[[Any], Any]) -> Path:
        content = json.loads(path.read_text())
        replaced = change(content)
        path.write_text(json.dumps(content if replaced is None else replaced))
        return path

    return edit
