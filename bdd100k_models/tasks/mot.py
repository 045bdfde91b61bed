"""Tracking of boxes: eight classes, an identity for each object. ``mot.json``; MOTA and IDF1.

A video is the unit: its frames go through the network one by one, in order, and what is known of it
begins anew with each. ``det.json`` holds all detections, those without identity too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.frames.tracks import track_labels
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    OutputFile,
    Pipeline,
    Prediction,
    Split,
    StepsPipeline,
    check_present,
    test_data,
    test_folder,
)
from bdd100k_models.tasks.det import MMDetTask
from bdd100k_models.tasks.videos import records_of_annotations, records_of_videos
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Detector
    from bdd100k_models.tracking.tracked import TrackedFrame


class FramePipeline(StepsPipeline):
    """The test pipeline, which also says of which video a sample is, and which frame of it."""

    def __call__(self, record: ImageRecord) -> Any:
        from mmcv.parallel import DataContainer

        sample = super().__call__(record)
        return {**sample, "place": DataContainer(record.place, cpu_only=True)}


class VideoForward:
    """A tracking network on the frames of videos; gives `TrackedFrame` of each.

    What it knows of a video is dropped when a frame of another one comes, or an earlier frame.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network: Any = network
        self._name: str | None = None
        self._frame = -1
        self._video: Any = None
        self._size: tuple[int, int] | None = None

    def __call__(self, batch: Any) -> list[TrackedFrame]:
        (images,), (metas,) = batch["img"], batch["img_metas"]
        return [
            self._track(place, images[i : i + 1], meta)
            for i, (place, meta) in enumerate(zip(batch["place"], metas, strict=True))
        ]

    def _track(self, place: Any, image: Any, meta: dict[str, Any]) -> TrackedFrame:
        name, frame = (place.video, place.frame) if place is not None else (None, 0)
        size = (int(meta["ori_shape"][0]), int(meta["ori_shape"][1]))
        if name is None or name != self._name or frame <= self._frame:
            self._name, self._size, self._video = name, size, self._network.new_video()
        if size != self._size:
            assert self._size is not None
            raise UserError(
                f"{size[1]}x{size[0]} pixels, but its video began with {self._size[1]}x"
                f"{self._size[0]}; frames of a video have one size"
            )
        self._frame = frame
        found: TrackedFrame = self._video(frame, image, meta)
        return found


class MotConverter(Converter):
    """Tracks as ``mot.json`` has them, and all detections."""

    outputs = (OutputFile("mot", "mot.json"), OutputFile("det", "det.json", first_id=1))

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def __call__(self, result: TrackedFrame, record: ImageRecord) -> Prediction:
        rows, ids = result.tracked
        labels = track_labels(result.boxes[rows], result.labels[rows], ids, self.classes)
        return Prediction({"mot": record.frame(labels), "det": self._detections(result, record)})

    def _detections(self, result: TrackedFrame, record: ImageRecord) -> dict[str, Any]:
        boxes = result.boxes
        return record.frame(
            detection_labels(boxes[:, :4], boxes[:, 4], result.labels, self.classes)
        )

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        return Prediction({output.key: record.frame([]) for output in self.outputs})

    def arrays(self, result: TrackedFrame) -> dict[str, np.ndarray]:
        rows, ids = result.tracked
        boxes = result.boxes[rows]
        return {
            "boxes": boxes[:, :4],
            "scores": boxes[:, 4],
            "classes": result.labels[rows],
            "ids": ids,
        }


class MotTask(MMDetTask):
    """Multiple object tracking."""

    facts = TASKS["mot"]
    headline = ("mMOTA", "mIDF1", "IDSw")

    def register(self) -> None:
        from bdd100k_models.models import qdtrack  # noqa: F401
        from bdd100k_models.tasks import mot_datasets  # noqa: F401

    def told_classes(self, meta: Mapping[str, Any]) -> tuple[str, ...]:
        # QDTrack's own checkpoints name the classes in another order than that of their outputs.
        return super().told_classes(meta) if "bdd100k_models_version" in meta else ()

    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        from mmdet.datasets.pipelines import Compose

        return FramePipeline(test_data(cfg)["pipeline"], Compose)

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        return VideoForward(network)

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return MotConverter(classes)

    def records(
        self,
        cfg: Config,
        options: Any = None,
        *,
        split: Split = "val",
        images: str | None = None,
    ) -> list[ImageRecord]:
        if images is not None:
            return records_of_videos(images)
        folder, annotations = self.sources(test_data(cfg))
        if split == "test":
            folder, annotations = test_folder(folder), None
        if annotations is not None and annotations.is_file():
            found = records_of_annotations(annotations, folder)
            check_present(found, annotations)
            return found
        if folder.is_dir():
            return records_of_videos(str(folder))
        looked = f"{annotations} and {folder}" if annotations is not None else str(folder)
        raise UserError(
            f"no videos for {self.name}: looked for {looked}; pass --data-root or set "
            "BDD100K_DATA_ROOT to the folder that holds images/ and labels/, or use --images"
        )


TASK = MotTask
