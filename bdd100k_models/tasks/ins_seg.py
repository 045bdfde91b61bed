"""Instance segmentation: eight classes, boxes and masks. MMDetection; COCO-style mask AP.

Writes ``ins_seg.json`` (run lengths of what stays visible), ``det.json`` (all boxes), and the
bitmask form: ``score.json`` with ``bitmasks/NAME.png``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.instance import CroppedMask, instance_outputs
from bdd100k_models.tasks.base import ImageRecord, OutputFile, Prediction, mask_file
from bdd100k_models.tasks.det import MMDetTask, flatten_boxes
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Instances:
    """What the network gave for one image.

    Attributes:
        boxes: for each class (N, 5) float32, x1 y1 x2 y2 score, pixels.
        masks: for each class the N masks.
        height: height of the image, pixels.
        width: width of the image, pixels.
    """

    boxes: Sequence[np.ndarray]
    masks: Sequence[Sequence[CroppedMask]]
    height: int
    width: int


class InsSegTask(MMDetTask):
    """Instance segmentation."""

    name = "ins_seg"
    title = "Instance segmentation"
    classes = classes.INS_SEG
    image_set = "10k"
    headline = ("AP", "AP50", "AP75")

    def register(self) -> None:
        from bdd100k_models.tasks import ins_seg_datasets  # noqa: F401

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        """`Instances` of each picture."""
        from bdd100k_models.tasks.mask_pasting import cropped_instance_masks

        with cropped_instance_masks(model):
            results = super().predict(model, batch)
        sizes = [meta["ori_shape"][:2] for meta in batch["img_metas"][0]]
        return [
            Instances(boxes, masks, int(height), int(width))
            for (boxes, masks), (height, width) in zip(results, sizes, strict=True)
        ]

    def outputs(self) -> tuple[OutputFile, ...]:
        return (
            OutputFile("ins_seg", "ins_seg.json", first_id=1),
            OutputFile("det", "det.json", first_id=1),
            OutputFile("score", "score.json", frames=False, first_id=1),
        )

    def mask_folder(self) -> str | None:
        return "bitmasks"

    def convert(self, result: Instances, record: ImageRecord) -> Prediction:
        boxes, scores, labels = flatten_boxes(list(result.boxes))
        found = instance_outputs(
            boxes,
            scores,
            labels,
            [mask for masks in result.masks for mask in masks],
            result.height,
            result.width,
            self.classes,
        )
        frame = {"name": record.name, "labels": found.rle}
        place = mask_file("bitmasks", record.name)
        return Prediction(
            entries={
                "ins_seg": frame,
                "det": {"name": record.name, "labels": found.det},
                "score": {"name": record.name, "labels": found.score},
            },
            frame=frame,
            pictures={place: found.bitmask},
        )


TASK = InsSegTask
