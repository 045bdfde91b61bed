"""Ground truth sent through a task as if a model had found it, and the official evaluators."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch import nn

from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.run import Places, RunOptions, run
from bdd100k_models.tasks import get_task
from bdd100k_models.tasks.base import Task

RunTask = Callable[..., Path]
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture
def run_task(tmp_path: Path) -> RunTask:
    """Run a task with a stand-in model over the test images of a config; gives the output folder.

    All of the real path but for the model: pipeline, batches, conversion, shards, merge, PNGs.
    """

    def run_it(
        task: Task,
        cfg: Any,
        model: nn.Module,
        *,
        options: Any = None,
        classes: tuple[str, ...] | None = None,
        batch_size: int = 2,
    ) -> Path:
        out = tmp_path / "out"
        settled = task.settle(options or task.options(), cfg, split="val", images=False)
        predictor = Predictor.of_network(
            task, cfg, model, torch.device("cpu"), options=settled, classes=classes
        )
        outcome = run(
            predictor,
            task.records(cfg, settled),
            Ranks(),
            Places(out=out, shards=out / ".shards"),
            RunOptions(batch_size=batch_size, workers=0),
        )
        assert outcome.failed == {}
        return out

    return run_it


@pytest.fixture
def official_scores(tmp_path: Path) -> Evaluate:
    """Scores by ``python -m bdd100k.eval.run`` in a process of its own, as users run it."""

    def evaluate(task: str, truth: Path, result: Path, *options: str) -> dict[str, Any]:
        scores = tmp_path / "official.json"
        command = [sys.executable, "-m", "bdd100k.eval.run", "-t", task]
        command += ["-g", str(truth), "-r", str(result), "--out-file", str(scores)]
        done = subprocess.run(
            [*command, "--nproc", "1", *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(scores.read_text())
        return found

    return evaluate


class Oracle(nn.Module):
    """Gives the map that it was told for a picture, called as MMSegmentation's models are."""

    def __init__(self, maps: dict[str, np.ndarray], num_classes: int) -> None:
        super().__init__()
        self.maps = maps
        self.num_classes = num_classes
        self.batches: list[int] = []

    def forward(
        self, img: list[torch.Tensor], img_metas: list[list[dict[str, Any]]], return_loss: bool
    ) -> list[np.ndarray]:
        assert not return_loss
        assert len(img) == len(img_metas) == 1
        assert len(img[0]) == len(img_metas[0])
        assert len({meta["ori_shape"] for meta in img_metas[0]}) == 1
        self.batches.append(len(img[0]))
        return [self.maps[Path(meta["filename"]).name] for meta in img_metas[0]]


class SegmentationWorld:
    """Pictures and both forms of labels of a validation split, in the official layout.

    ``maps``: name -> (H, W) class indices, 255 for pixels of no class; by default three pictures
    of 720x1280 in which every class occurs.
    """

    def __init__(self, root: Path, task: Task, maps: dict[str, np.ndarray] | None = None) -> None:
        self.root = root
        self.task = task
        self.maps = maps or self._random_maps(len(task.classes))
        self.rles = root / "labels" / task.name / "rles" / f"{task.name}_val.json"
        self.masks = root / "labels" / task.name / "masks" / "val"
        self.images = root / "images" / task.facts.image_set / "val"
        for folder in (self.rles.parent, self.masks, self.images):
            folder.mkdir(parents=True)
        frames = [self._write(name, truth) for name, truth in self.maps.items()]
        self.rles.write_text(json.dumps({"frames": frames}))

    @staticmethod
    def _random_maps(num_classes: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(3)
        maps = {}
        for name in ("b.jpg", "a.jpg", "c.jpg"):
            blocks = random.integers(0, num_classes, (9, 16))
            blocks.flat[:num_classes] = np.arange(num_classes)
            maps[name] = np.kron(blocks, np.ones((80, 80))).astype(np.uint8)
            maps[name][300:340, 100:900] = 255
        return maps

    def _write(self, name: str, truth: np.ndarray) -> dict[str, Any]:
        Image.fromarray(np.zeros((*truth.shape, 3), np.uint8)).save(self.images / name)
        mask = Image.fromarray(truth.astype(np.uint8))
        mask.save(self.masks / name.replace(".jpg", ".png"))
        labels = []
        for index in np.unique(truth[truth != 255]):
            rle = coco_mask.encode(np.asfortranarray(truth == index, dtype=np.uint8))
            rle["counts"] = rle["counts"].decode()
            category = self.task.classes[index]
            labels.append({"id": str(index), "category": category, "rle": rle})
        return {"name": name, "labels": labels}

    def predicted(self) -> dict[str, np.ndarray]:
        """What a model without a fault gives: int64, and a class where the truth has none."""
        return {
            name: np.where(truth == 255, 2, truth).astype(np.int64)
            for name, truth in self.maps.items()
        }

    def oracle(self, maps: dict[str, np.ndarray] | None = None) -> Oracle:
        """A stand-in for a model that gives ``maps``, or :meth:`predicted`."""
        return Oracle(maps or self.predicted(), len(self.task.classes))


MakeWorld = Callable[..., SegmentationWorld]


@pytest.fixture
def segmentation_world(tmp_path: Path) -> MakeWorld:
    """``segmentation_world("sem_seg", maps=None)``."""

    def make(name: str, maps: dict[str, np.ndarray] | None = None) -> SegmentationWorld:
        return SegmentationWorld(tmp_path / "data", get_task(name), maps)

    return make
