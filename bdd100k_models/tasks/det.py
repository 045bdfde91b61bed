"""Object detection: ten classes, boxes. MMDetection; ``det.json``; COCO-style AP."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    OutputFile,
    Pipeline,
    Prediction,
    Split,
    StepsPipeline,
    Task,
    test_data,
)
from bdd100k_models.tasks.videos import is_video, records_of_videos
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector


class MMDetTask(Task):
    """What the tasks on MMDetection share: builders, pipeline, forward."""

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmdet.models import build_detector

        return build_detector(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmdet.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def head_classes(self, network: nn.Module) -> int | None:
        head = getattr(network, "roi_head", network)
        head = getattr(head, "bbox_head", None)
        try:
            last = head[-1]  # type: ignore[index]  # a cascade
        except TypeError:
            last = head
        count = getattr(last, "num_classes", None)
        return int(count) if count is not None else None

    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        from mmdet.datasets.pipelines import Compose

        return StepsPipeline(test_data(cfg)["pipeline"], Compose)

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        return MMDetForward(network)


class MMDetForward:
    """An MMDetection model on the batches of its test pipeline, results in image size."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, batch: Any) -> list[Any]:
        results: list[Any] = self.network(return_loss=False, rescale=True, **batch)
        return results


class DetConverter(Converter):
    """Boxes of each class as ``det.json`` has them."""

    outputs = (OutputFile("det", "det.json", first_id=1),)

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def __call__(self, result: list[np.ndarray], record: ImageRecord) -> Prediction:
        """``result``: for each class (N, 5) float32, x1 y1 x2 y2 score, pixels."""
        labels = detection_labels(*flatten_boxes(result), self.classes)
        return Prediction({"det": record.frame(labels)})

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        return Prediction({"det": record.frame([])})

    def arrays(self, result: list[np.ndarray]) -> dict[str, np.ndarray]:
        return box_arrays(result)


def flatten_boxes(per_class: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MMDetection's list of (N, 5) arrays per class -> (M, 4) boxes, (M,) scores, (M,) labels."""
    stacked = np.concatenate([np.asarray(boxes).reshape(-1, 5) for boxes in per_class])
    labels = np.repeat(np.arange(len(per_class)), [len(boxes) for boxes in per_class])
    return stacked[:, :4], stacked[:, 4], labels


def box_arrays(per_class: list[np.ndarray]) -> dict[str, np.ndarray]:
    """``boxes`` (N, 4) float32 x1 y1 x2 y2 in pixels, ``scores`` (N,), ``classes`` (N,) int64."""
    boxes, scores, labels = flatten_boxes(per_class)
    return {"boxes": boxes, "scores": scores, "classes": labels}


@dataclass(frozen=True)
class DetOptions:
    """``videos``: the pictures of the user's own are videos, and frames say of which."""

    videos: bool = False


class DetTask(MMDetTask):
    """Object detection."""

    facts = TASKS["det"]
    headline = ("AP", "AP50", "AP75")
    Options = DetOptions

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument_group("object detection").add_argument(
            "--videos",
            action="store_true",
            help="--images is a folder of frames, a folder of such folders, or a video file: "
            "det.json then says of which video each frame is, for tools/track.py",
        )

    def settle(self, options: Any, cfg: Config, *, split: Split, images: bool) -> Any:
        if options.videos and not images:
            raise UserError("--videos is said of --images; add that")
        return options

    def records(
        self,
        cfg: Config,
        options: Any = None,
        *,
        split: Split = "val",
        images: str | None = None,
    ) -> list[ImageRecord]:
        if images is not None and ((options is not None and options.videos) or is_video(images)):
            return records_of_videos(images)
        return super().records(cfg, options, split=split, images=images)

    def register(self) -> None:
        from bdd100k_models.tasks import det_datasets  # noqa: F401

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return DetConverter(classes)


TASK = DetTask
