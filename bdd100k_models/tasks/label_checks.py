"""A step of training pipelines: labels fit their picture.

What does not is told with the file. Without it a map of another size trains a network on nonsense,
and a strange class ends in an index error deep in a loss.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bdd100k_models.errors import UserError

_IGNORED = 255


class CheckLabels:
    """What the annotation loading steps of MMDetection and MMSegmentation give fits the picture.

    Args:
        classes: number of classes; a class map holds their indices, or 255.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """The same sample.

        Raises:
            UserError: a size, or a class index, that cannot be.
        """
        height, width = results["img_shape"][:2]
        info = results["img_info"]
        if "height" in info and (info["height"], info["width"]) != (height, width):
            raise UserError(
                f"{results['filename']} has {width}x{height} pixels, its annotations are for "
                f"{info['width']}x{info['height']}"
            )
        for field in results.get("seg_fields", ()):
            self._check_map(results[field], (height, width), _file_of(results))
        return results

    def _check_map(self, values: np.ndarray, size: tuple[int, int], file: str) -> None:
        if values.ndim != 2:
            raise UserError(f"{file} has {values.shape[-1]} channels, a mask has 1")
        if values.shape != size:
            raise UserError(
                f"{file} has {values.shape[1]}x{values.shape[0]} pixels, its picture has "
                f"{size[1]}x{size[0]}"
            )
        strange = values[(values >= self._classes) & (values != _IGNORED)]
        if strange.size:
            raise UserError(
                f"{file} has the value {int(strange[0])}, which is no class: there are "
                f"{self._classes}, from 0 on, and 255 for none"
            )


def _file_of(results: dict[str, Any]) -> str:
    name = results["ann_info"]["seg_map"]
    return os.path.join(results.get("seg_prefix") or "", name)


def check_labels_of(dataset: Any) -> None:
    """Add :class:`CheckLabels` to the pipeline of a dataset, where it loads annotations."""
    steps = dataset.pipeline.transforms
    for place, step in enumerate(steps):
        name = type(step).__name__
        if name.startswith("Load") and name.endswith("Annotations"):
            steps.insert(place + 1, CheckLabels(len(dataset.CLASSES)))
            return
