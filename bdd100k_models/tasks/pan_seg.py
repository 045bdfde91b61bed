"""Panoptic segmentation: ten things and thirty kinds of stuff. MMDetection; PQ.

Writes ``pan_seg.json`` (run lengths), and with ``--masks`` also ``bitmasks/NAME.png``.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.panoptic import panoptic_bitmask, panoptic_labels
from bdd100k_models.tasks.base import ImageRecord, OutputFile, Prediction, mask_file
from bdd100k_models.tasks.det import MMDetTask
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


class PanSegTask(MMDetTask):
    """Panoptic segmentation."""

    name = "pan_seg"
    title = "Panoptic segmentation"
    classes = classes.PAN_SEG
    image_set = "10k"
    headline = ("PQ", "SQ", "RQ")

    def __init__(self) -> None:
        self.masks = False

    def register(self) -> None:
        from bdd100k_models.tasks import pan_seg_datasets  # noqa: F401

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--masks",
            action="store_true",
            help="also write bitmasks/NAME.png, the form that the toolkit scores as bitmasks",
        )

    def configure(self, args: Namespace, cfg: Config) -> None:
        self.masks = args.masks

    def run_options(self) -> dict[str, Any]:
        return {"masks": self.masks}

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        """(H, W) int32 maps, class index + 1000 * instance, in the size of each picture."""
        from bdd100k_models.tasks.mask_pasting import cropped_panoptic_masks

        metas = batch["img_metas"][0]
        maps: list[Any] = [None] * len(metas)
        with cropped_panoptic_masks(model):
            for places in _by_shape(metas):
                part = {
                    "img": [view[places] for view in batch["img"]],
                    "img_metas": [[view[i] for i in places] for view in batch["img_metas"]],
                }
                for place, result in zip(places, super().predict(model, part), strict=True):
                    maps[place] = result["pan_results"]
        return maps

    def outputs(self) -> tuple[OutputFile, ...]:
        return (OutputFile("pan_seg", "pan_seg.json"),)

    def mask_folder(self) -> str | None:
        return "bitmasks" if self.masks else None

    def convert(self, result: np.ndarray, record: ImageRecord) -> Prediction:
        """``result``: (H, W), class index + 1000 * instance."""
        labels = panoptic_labels(result, classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF)
        frame = {"name": record.name, "labels": labels}
        pictures = {}
        if self.masks:
            place = mask_file("bitmasks", record.name)
            pictures[place] = panoptic_bitmask(
                result, classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF
            )
        return Prediction(entries={"pan_seg": frame}, frame=frame, pictures=pictures)


def _by_shape(metas: list[dict[str, Any]]) -> list[list[int]]:
    """Places of the pictures that the semantic head may resize as one: it asks the first only."""
    places: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, meta in enumerate(metas):
        shapes = tuple(tuple(meta[key]) for key in ("ori_shape", "img_shape", "pad_shape"))
        places.setdefault(shapes, []).append(place)
    return list(places.values())


TASK = PanSegTask
