"""Tracking of masks: as ``mot``, with what is visible of each object. ``mots.json``.

Masks of a frame do not overlap, the higher score is on top; ``--masks`` also writes bitmasks.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.tracks import masked_tracks
from bdd100k_models.tasks.base import Converter, ImageRecord, OutputFile, Prediction, mask_file
from bdd100k_models.tasks.mot import MotConverter, MotTask
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector, Forward
    from bdd100k_models.tracking.tracked import TrackedFrame


@dataclass(frozen=True)
class MotsOptions:
    """Options of segmentation tracking.

    Attributes:
        masks: bitmasks beside the JSON.
        carry_prototypes: PCAN's prototypes go on from video to video, as in the original code.
    """

    masks: bool = False
    carry_prototypes: bool = False


class MotsConverter(MotConverter):
    """Tracks with masks, and as bitmasks where they are asked for."""

    outputs = (OutputFile("mots", "mots.json"), OutputFile("det", "det.json", first_id=1))

    def __init__(self, classes: tuple[str, ...], options: MotsOptions) -> None:
        super().__init__(classes)
        self._options = options
        self.mask_folder = "bitmasks" if options.masks else None

    def __call__(self, result: TrackedFrame, record: ImageRecord) -> Prediction:
        rows, ids = result.tracked
        assert result.masks is not None
        found = masked_tracks(
            result.boxes[rows],
            result.labels[rows],
            ids,
            [result.masks[row] for row in rows],
            result.height,
            result.width,
            self.classes,
        )
        entries = {
            "mots": record.frame(found.labels),
            "det": self._detections(result, record),
        }
        return Prediction(entries, self._pictures(record, found.bitmask))

    def _pictures(self, record: ImageRecord, bitmask: np.ndarray) -> dict[str, np.ndarray]:
        if self.mask_folder is None:
            return {}
        return {mask_file(self.mask_folder, record.name): bitmask}

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        blank = np.zeros((height, width, 4), np.uint8)
        return Prediction(
            super().nothing(record, height, width).entries, self._pictures(record, blank)
        )

    def arrays(self, result: TrackedFrame) -> dict[str, np.ndarray]:
        rows, _ = result.tracked
        assert result.masks is not None
        masks = np.zeros((len(rows), result.height, result.width), np.bool_)
        for whole, row in zip(masks, rows, strict=True):
            mask = result.masks[row]
            height, width = mask.crop.shape
            whole[mask.y : mask.y + height, mask.x : mask.x + width] = mask.crop
        return {**super().arrays(result), "masks": masks}

    def identity(self) -> dict[str, Any]:
        return {
            "masks": self._options.masks,
            "carry_prototypes": self._options.carry_prototypes,
        }


class MotsTask(MotTask):
    """Multiple object tracking and segmentation."""

    facts = TASKS["mots"]
    Options = MotsOptions

    def register(self) -> None:
        super().register()
        from bdd100k_models.models import pcan  # noqa: F401

    def add_arguments(self, parser: ArgumentParser) -> None:
        group = parser.add_argument_group("segmentation tracking")
        group.add_argument(
            "--masks",
            action="store_true",
            help="also write bitmasks/VIDEO/NAME.png, the form that the toolkit scores as bitmasks",
        )
        group.add_argument(
            "--carry-prototypes",
            action="store_true",
            help="PCAN's prototypes of foreground and background go on from video to video, as in "
            "the original code: results then depend on the order of the videos, and on what was "
            "run before; for one process, without --resume (default: each video begins with those "
            "of the checkpoint)",
        )

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        if options is not None and options.carry_prototypes:
            if not hasattr(network, "carry_prototypes"):
                raise UserError(
                    "--carry-prototypes is for PCAN; this network has no prototypes to carry"
                )
            network.carry_prototypes = True  # type: ignore[assignment]
        return super().forward(network, cfg, options, detector)

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return MotsConverter(classes, options or MotsOptions())


TASK = MotsTask
