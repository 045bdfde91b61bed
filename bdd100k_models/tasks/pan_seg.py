"""Panoptic segmentation: ten things and thirty kinds of stuff. MMDetection; PQ.

Writes ``pan_seg.json`` (run lengths), and with ``--masks`` also ``bitmasks/NAME.png``.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.panoptic import INSTANCE_OFFSET, panoptic_bitmask, panoptic_labels
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    MaskOptions,
    OutputFile,
    Prediction,
    mask_file,
)
from bdd100k_models.tasks.det import MMDetForward, MMDetTask
from bdd100k_models.zoo import classes as zoo_classes
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector


class PanopticForward(MMDetForward):
    """A Panoptic FPN that pastes and fuses box by box.

    Gives (H, W) int32 maps, class index + 1000 * instance, in the size of each picture.
    """

    def __init__(self, network: nn.Module) -> None:
        from bdd100k_models.tasks.mask_pasting import crop_panoptic_masks

        super().__init__(network)
        crop_panoptic_masks(network)

    def __call__(self, batch: Any) -> list[Any]:
        from bdd100k_models.tasks.class_maps import part_of, same_of

        metas = batch["img_metas"][0]
        maps: list[Any] = [None] * len(metas)
        # The semantic head resizes all pictures as the first of them.
        for places in same_of(metas, ("ori_shape", "img_shape", "pad_shape")):
            part = part_of(batch, places)
            for place, result in zip(places, super().__call__(part), strict=True):
                maps[place] = result["pan_results"]
        return maps


class PanSegConverter(Converter):
    """Panoptic maps as run lengths, and as bitmasks where they are asked for."""

    outputs = (OutputFile("pan_seg", "pan_seg.json"),)

    def __init__(self, classes: tuple[str, ...], things: int, masks: bool) -> None:
        self.classes = classes
        self.mask_folder = "bitmasks" if masks else None
        self._names = classes[:things], classes[things:]

    def __call__(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (H, W), class index + 1000 * instance."""
        labels = panoptic_labels(result, *self._names)
        prediction = Prediction({"pan_seg": {"name": record.name, "labels": labels}})
        if self.mask_folder is not None:
            place = mask_file(self.mask_folder, record.name)
            prediction.pictures[place] = panoptic_bitmask(result, *self._names)
        return prediction

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        return self(np.full((height, width), len(self.classes), np.int32), record)

    def arrays(self, result: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "class_map": (result % INSTANCE_OFFSET).astype(np.uint8),
            "instance_map": (result // INSTANCE_OFFSET).astype(np.int32),
        }

    def identity(self) -> dict[str, Any]:
        return {"masks": self.mask_folder is not None}


class PanSegTask(MMDetTask):
    """Panoptic segmentation."""

    facts = TASKS["pan_seg"]
    headline = ("PQ", "SQ", "RQ")
    Options = MaskOptions

    def register(self) -> None:
        from bdd100k_models.tasks import pan_seg_datasets  # noqa: F401

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--masks",
            action="store_true",
            help="also write bitmasks/NAME.png, the form that the toolkit scores as bitmasks",
        )

    def head_classes(self, network: nn.Module) -> int | None:
        fusion: Any = network.panoptic_fusion_head
        return int(fusion.num_things_classes + fusion.num_stuff_classes)

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        return PanopticForward(network)

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        fusion = cfg.model.get("panoptic_fusion_head") or {}
        things = fusion.get("num_things_classes", len(zoo_classes.PAN_SEG_THINGS))
        return PanSegConverter(classes, things, options.masks)


TASK = PanSegTask
