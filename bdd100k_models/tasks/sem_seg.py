"""Semantic segmentation: one of 19 classes per pixel. MMSegmentation; ``sem_seg.json``; mIoU."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.semantic import semantic_labels, semantic_mask
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    MaskOptions,
    OutputFile,
    Pipeline,
    Prediction,
    StepsPipeline,
    Task,
    mask_file,
    test_data,
)
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector

#: The value of pixels that have no class.
_NO_CLASS = 255


class MMSegTask(Task):
    """A class for each pixel by MMSegmentation; subclasses name classes, images and file."""

    headline = ("mIoU", "mAcc", "pAcc")
    Options = MaskOptions

    def register(self) -> None:
        from bdd100k_models.tasks import segmentation_datasets  # noqa: F401

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmseg.models import build_segmentor

        return build_segmentor(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmseg.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--masks",
            action="store_true",
            help="also write masks/NAME.png, the form that the toolkit scores as masks",
        )

    def head_classes(self, network: nn.Module) -> int | None:
        count = getattr(network, "num_classes", None)
        return int(count) if count is not None else None

    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        from mmseg.datasets.pipelines import Compose

        return StepsPipeline(test_data(cfg)["pipeline"], Compose, {"seg_fields": []})

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        from bdd100k_models.tasks.class_maps import SegmentationForward

        return SegmentationForward(network)

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return SemanticConverter(self.name, classes, "masks" if options.masks else None)


class SemanticConverter(Converter):
    """Class maps as run lengths, and as masks where they are asked for."""

    def __init__(self, name: str, classes: tuple[str, ...], mask_folder: str | None) -> None:
        self.classes = classes
        self.outputs = (OutputFile(name, f"{name}.json", first_id=1),)
        self.mask_folder = mask_folder
        self._key = name

    def __call__(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (H, W) class indices."""
        labels = semantic_labels(result, self.classes, ignore=_NO_CLASS)
        prediction = Prediction({self._key: {"name": record.name, "labels": labels}})
        if self.mask_folder is not None:
            place = mask_file(self.mask_folder, record.name)
            prediction.pictures[place] = semantic_mask(result)
        return prediction

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        return self(np.full((height, width), _NO_CLASS, np.uint8), record)

    def arrays(self, result: np.ndarray) -> dict[str, np.ndarray]:
        return {"class_map": semantic_mask(result)}

    def identity(self) -> dict[str, Any]:
        return {"masks": self.mask_folder is not None}


class SemSegTask(MMSegTask):
    """Semantic segmentation."""

    facts = TASKS["sem_seg"]


TASK = SemSegTask
