"""Semantic segmentation: one of 19 classes per pixel. MMSegmentation; ``sem_seg.json``; mIoU."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.semantic import semantic_labels, semantic_mask
from bdd100k_models.tasks.base import (
    ImageRecord,
    OutputFile,
    Prediction,
    Task,
    mask_file,
    test_data,
)
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


class MMSegTask(Task):
    """A class for each pixel by MMSegmentation; subclasses name classes, images and file."""

    headline = ("mIoU", "mAcc", "pAcc")

    def __init__(self) -> None:
        self.masks = False

    def register(self) -> None:
        from bdd100k_models.tasks import segmentation_datasets  # noqa: F401

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmseg.models import build_segmentor

        return build_segmentor(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmseg.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def pipeline(self, cfg: Config) -> Callable[[ImageRecord], Any]:
        from mmseg.datasets.pipelines import Compose

        return MMSegPipeline(Compose(test_data(cfg)["pipeline"]))

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        """(H, W) class indices in the size of each picture."""
        metas = batch["img_metas"][0]
        # A forward pass enlarges all of its maps to one size, that of the first picture.
        maps: list[Any] = [None] * len(metas)
        for places in _by_size(metas):
            part = {
                "img": [view[places] for view in batch["img"]],
                "img_metas": [[view[i] for i in places] for view in batch["img_metas"]],
            }
            for place, result in zip(places, model(return_loss=False, **part), strict=True):
                maps[place] = result
        return maps

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--masks",
            action="store_true",
            help="also write masks/NAME.png, the form that the toolkit scores as masks",
        )

    def configure(self, args: Namespace, cfg: Config) -> None:
        self.masks = args.masks

    def run_options(self) -> dict[str, Any]:
        return {"masks": self.masks}

    def outputs(self) -> tuple[OutputFile, ...]:
        return (OutputFile(self.name, f"{self.name}.json", first_id=1),)

    def mask_folder(self) -> str | None:
        return "masks" if self.masks else None

    def convert(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (H, W) class indices."""
        segmentation = np.asarray(result)
        frame = {"name": record.name, "labels": semantic_labels(segmentation, self.classes)}
        pictures = {}
        if self.masks:
            place = mask_file("masks", record.name)
            pictures[place] = semantic_mask(segmentation)
        return Prediction(entries={self.name: frame}, frame=frame, pictures=pictures)


class MMSegPipeline:
    """A record through an MMSegmentation test pipeline; picklable for loader workers."""

    def __init__(self, compose: Callable[[dict[str, Any]], Any]) -> None:
        self._compose = compose

    def __call__(self, record: ImageRecord) -> Any:
        return self._compose(
            {"img_info": {"filename": record.path}, "img_prefix": None, "seg_fields": []}
        )


def _by_size(metas: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Places of the pictures of each original size."""
    sizes: dict[tuple[int, ...], list[int]] = {}
    for place, meta in enumerate(metas):
        sizes.setdefault(tuple(meta["ori_shape"]), []).append(place)
    return list(sizes.values())


class SemSegTask(MMSegTask):
    """Semantic segmentation."""

    name = "sem_seg"
    title = "Semantic segmentation"
    classes = classes.SEM_SEG
    image_set = "10k"


TASK = SemSegTask
