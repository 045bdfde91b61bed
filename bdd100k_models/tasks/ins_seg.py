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
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    OutputFile,
    Prediction,
    mask_file,
)
from bdd100k_models.tasks.det import MMDetForward, MMDetTask, box_arrays, flatten_boxes
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector


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


class InstanceForward(MMDetForward):
    """A model whose masks are pasted box by box; gives `Instances`."""

    def __init__(self, network: nn.Module) -> None:
        from bdd100k_models.tasks.mask_pasting import crop_instance_masks

        super().__init__(network)
        crop_instance_masks(network)

    def __call__(self, batch: Any) -> list[Any]:
        results = super().__call__(batch)
        sizes = [meta["ori_shape"][:2] for meta in batch["img_metas"][0]]
        return [
            Instances(boxes, masks, int(height), int(width))
            for (boxes, masks), (height, width) in zip(results, sizes, strict=True)
        ]


class InsSegConverter(Converter):
    """Instances in the two forms of the toolkit, and their boxes."""

    outputs = (
        OutputFile("ins_seg", "ins_seg.json", first_id=1),
        OutputFile("det", "det.json", first_id=1),
        OutputFile("score", "score.json", frames=False, first_id=1),
    )
    mask_folder = "bitmasks"

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def __call__(self, result: Instances, record: ImageRecord) -> Prediction:
        found = instance_outputs(
            *flatten_boxes(list(result.boxes)),
            [mask for masks in result.masks for mask in masks],
            result.height,
            result.width,
            self.classes,
        )
        labels = {"ins_seg": found.rle, "det": found.det, "score": found.score}
        return Prediction(
            {key: {"name": record.name, "labels": value} for key, value in labels.items()},
            {mask_file("bitmasks", record.name): found.bitmask},
        )

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        none = np.zeros((0, 5), np.float32)
        return self(Instances([none], [[]], height, width), record)

    def arrays(self, result: Instances) -> dict[str, np.ndarray]:
        found = box_arrays(list(result.boxes))
        masks = np.zeros((len(found["boxes"]), result.height, result.width), np.bool_)
        flat = [mask for masks in result.masks for mask in masks]
        for whole, mask in zip(masks, flat, strict=True):
            height, width = mask.crop.shape
            whole[mask.y : mask.y + height, mask.x : mask.x + width] = mask.crop
        return {**found, "masks": masks}


class InsSegTask(MMDetTask):
    """Instance segmentation."""

    facts = TASKS["ins_seg"]
    headline = ("AP", "AP50", "AP75")

    def register(self) -> None:
        from bdd100k_models.tasks import ins_seg_datasets  # noqa: F401

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        return InstanceForward(network)

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return InsSegConverter(classes)


TASK = InsSegTask
