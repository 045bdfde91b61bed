"""Object detection: ten classes, boxes. MMDetection; ``det.json``; COCO-style AP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.tasks.base import ImageRecord, OutputFile, Prediction, Task
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


class MMDetTask(Task):
    """What the tasks on MMDetection share: builders, pipeline, forward."""

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmdet.models import build_detector

        return build_detector(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmdet.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def pipeline(self, cfg: Config) -> Callable[[ImageRecord], Any]:
        from mmdet.datasets.pipelines import Compose

        from bdd100k_models.tasks.base import test_data

        return MMDetPipeline(Compose(test_data(cfg)["pipeline"]))

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        results: list[Any] = model(return_loss=False, rescale=True, **batch)
        return results


class MMDetPipeline:
    """A record through an MMDetection test pipeline; picklable for loader workers."""

    def __init__(self, compose: Callable[[dict[str, Any]], Any]) -> None:
        self._compose = compose

    def __call__(self, record: ImageRecord) -> Any:
        return self._compose({"img_info": {"filename": record.path}, "img_prefix": None})


class DetTask(MMDetTask):
    """Object detection."""

    name = "det"
    title = "Object detection"
    classes = classes.DET
    image_set = "100k"
    headline = ("AP", "AP50", "AP75")

    def register(self) -> None:
        from bdd100k_models.tasks import det_datasets  # noqa: F401

    def outputs(self) -> tuple[OutputFile, ...]:
        return (OutputFile("det", "det.json", first_id=1),)

    def convert(self, result: list[np.ndarray], record: ImageRecord) -> Prediction:
        """``result``: for each class (N, 5) float32, x1 y1 x2 y2 score, pixels."""
        boxes, scores, labels = flatten_boxes(result)
        frame = {
            "name": record.name,
            "labels": detection_labels(boxes, scores, labels, self.classes),
        }
        return Prediction(entries={"det": frame}, frame=frame)


def flatten_boxes(per_class: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MMDetection's list of (N, 5) arrays per class -> (M, 4) boxes, (M,) scores, (M,) labels."""
    stacked = np.concatenate([np.asarray(boxes).reshape(-1, 5) for boxes in per_class])
    labels = np.repeat(np.arange(len(per_class)), [len(boxes) for boxes in per_class])
    return stacked[:, :4], stacked[:, 4], labels


TASK = DetTask
