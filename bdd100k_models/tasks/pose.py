"""Pose estimation of pedestrians: 18 keypoints. MMPose; ``result_keypoints.json``; OKS AP.

Top-down: people are found first, then each is cropped and its keypoints are read from heat maps.
The boxes come from a ``det.json``, from a detector of this zoo that runs on the same images, or
from the annotations.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.oks import oks_nms, pose_scores
from bdd100k_models.frames.pose import pose_labels
from bdd100k_models.tasks.base import (
    Converter,
    Forward,
    ImageRecord,
    OutputFile,
    Pipeline,
    Prediction,
    Split,
    Task,
    load_from,
    map_tensors,
    test_data,
)
from bdd100k_models.tasks.pose_boxes import (
    PersonBox,
    annotated_boxes,
    detected_boxes,
    predicted_boxes,
)
from bdd100k_models.zoo import classes
from bdd100k_models.zoo.tasks import TASKS

if TYPE_CHECKING:
    from mmcv import Config
    from torch import Tensor, nn

    from bdd100k_models.evaluation import Scores
    from bdd100k_models.tasks.base import Detector

#: Finds the people where neither boxes nor annotations are given.
DEFAULT_DETECTOR = "faster_rcnn_r50_fpn_3x_det_bdd100k"

GROUND_TRUTH_NOTE = (
    "note: poses were estimated in the annotated boxes; the AP is not comparable with the "
    "published one, which had boxes of a detector (pass --boxes det.json or --detector CONFIG)"
)


@dataclass(frozen=True)
class PoseOptions:
    """Where the boxes of people come from.

    Attributes:
        boxes: a ``det.json`` that det/test.py wrote.
        detector: config or published name of a det model that runs first.
        detector_checkpoint: its weights, a file or URL; by default those that were published.
        box_categories: which boxes hold people.
        box_score_thr: least score of a box; None as the config says.
        source: which of the ways it is; None where what there is to run on decides.
    """

    boxes: str | None = None
    detector: str | None = None
    detector_checkpoint: str | None = None
    box_categories: Sequence[str] = (classes.POSE_CATEGORY,)
    box_score_thr: float | None = None
    source: Literal["boxes", "detector", "annotations"] | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UserError: contradicting options, or a det.json that is not there.
        """
        if self.boxes and self.detector:
            raise UserError("--boxes and --detector exclude each other: both give the boxes")
        if self.detector_checkpoint and not self.detector:
            raise UserError("--detector-checkpoint needs --detector CONFIG, the model it is for")
        if self.boxes and not Path(self.boxes).expanduser().is_file():
            raise UserError(f"--boxes {self.boxes}: no such file; det/test.py writes one")


@dataclass(frozen=True)
class Crops:
    """The people of one image, cut out for the network.

    Attributes:
        images: (P, 3, H, W) float32, normalised.
        metas: what MMPose needs to map the keypoints of each crop back into the image.
        boxes: the P boxes.
    """

    images: Tensor
    metas: list[dict[str, Any]]
    boxes: tuple[PersonBox, ...]

    def map_tensors(self, change: Any) -> Crops:
        """The same people with ``change`` applied to the images."""
        return replace(self, images=change(self.images))


@dataclass(frozen=True)
class Unsearched:
    """A picture in which the detector has to find the people first.

    Attributes:
        record: with the picture's pixels, so that it is decoded once.
        sample: the picture as the detector's pipeline gives it.
    """

    record: ImageRecord
    sample: Any


@dataclass(frozen=True)
class Search:
    """Pictures of one shape in which the detector has to find the people.

    Attributes:
        records: of the pictures.
        batch: a batch of the detector.
    """

    records: list[ImageRecord]
    batch: Any

    def map_tensors(self, change: Any) -> Search:
        """The same with ``change`` applied to the tensors."""
        return replace(self, batch=map_tensors(self.batch, change))


@dataclass(frozen=True)
class Poses:
    """What the network gave for the people of one image.

    Attributes:
        keypoints: (P, 18, 3) float32, x y score, pixels of the image.
        areas: (P,) float32, of the padded boxes, pixels.
        boxes: the P boxes.
    """

    keypoints: np.ndarray
    areas: np.ndarray
    boxes: tuple[PersonBox, ...]


class PoseTask(Task):
    """Pose estimation."""

    facts = TASKS["pose"]
    headline = ("AP", "AP50", "AP75")
    Options = PoseOptions

    def register(self) -> None:
        from bdd100k_models.tasks import pose_datasets  # noqa: F401

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmpose.models import build_posenet

        return build_posenet(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmpose.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    # -- where the boxes come from ------------------------------------------------------------

    def add_arguments(self, parser: ArgumentParser) -> None:
        group = parser.add_argument_group(
            "boxes of people",
            "default: the annotated boxes where there are annotations, else a detector",
        )
        group.add_argument("--boxes", metavar="FILE", help="a det.json that det/test.py wrote")
        group.add_argument(
            "--detector",
            metavar="CONFIG",
            help="config or published name of a det model that runs first "
            f"(default where there are no annotations: {DEFAULT_DETECTOR})",
        )
        group.add_argument(
            "--detector-checkpoint", metavar="FILE|URL", help="its weights (default: published)"
        )
        group.add_argument(
            "--box-categories",
            nargs="+",
            choices=classes.DET,
            default=[classes.POSE_CATEGORY],
            metavar="NAME",
            help=f"which boxes hold people (default: {classes.POSE_CATEGORY})",
        )
        group.add_argument(
            "--box-score-thr", type=float, metavar="X", help="least score of a box (default: 0)"
        )
        group.set_defaults(source=None)

    def settle(self, options: Any, cfg: Config, *, split: Split, images: bool) -> Any:
        if options.boxes is not None:
            return replace(options, source="boxes")
        annotations = None if images or split == "test" else self._annotations(cfg)
        if options.detector is None and annotations is not None:
            return replace(options, source="annotations")
        return replace(options, source="detector", detector=options.detector or DEFAULT_DETECTOR)

    def _annotations(self, cfg: Config) -> Path | None:
        """The annotation file that the config's test data names, if it is there."""
        _, annotations = self.sources(test_data(cfg))
        return annotations if annotations is not None and annotations.is_file() else None

    def detector(self, options: Any) -> tuple[str, str | None] | None:
        if options.source != "detector":
            return None
        return options.detector, options.detector_checkpoint

    def records(
        self,
        cfg: Config,
        options: Any = None,
        *,
        split: Split = "val",
        images: str | None = None,
    ) -> list[ImageRecord]:
        """Images with their boxes in ``extra``; without, where a detector is to find them.

        Raises:
            UserError: no images; or a det.json that has none of them.
        """
        found = super().records(cfg, options, split=split, images=images)
        boxes = self._boxes(cfg, options)
        if options.source == "boxes" and not any(record.name in boxes for record in found):
            raise UserError(
                f"--boxes {options.boxes} has none of the {len(found)} images, first "
                f"{found[0].name!r}; run det/test.py on the same images"
            )
        return list(_with_boxes(found, boxes, options))

    def complete(
        self, records: Iterable[ImageRecord], cfg: Config, options: Any
    ) -> Iterator[ImageRecord]:
        return _with_boxes(records, self._boxes(cfg, options), options)

    def _boxes(self, cfg: Config, options: PoseOptions) -> dict[str, tuple[PersonBox, ...]]:
        """Boxes by name of the image; none where a detector is to find them."""
        if options.boxes is not None:
            threshold = _least_score(options, Settings.of(cfg))
            file = Path(options.boxes).expanduser()
            return predicted_boxes(file, options.box_categories, threshold)
        annotations = self._annotations(cfg)
        if options.source == "annotations" and annotations is not None:
            return annotated_boxes(annotations)
        return {}

    # -- from an image to its poses -------------------------------------------------------------

    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        crop = CropPipeline(test_data(cfg), Settings.of(cfg))
        return crop if detector is None else DetectorPipeline(detector.pipeline)

    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        settings = Settings.of(cfg)
        estimate = PoseForward(network, settings.people_per_batch, len(settings.sigmas))
        if detector is None:
            return estimate
        crop = CropPipeline(test_data(cfg), settings)
        return FindPeople(
            detector, crop, estimate, options.box_categories, _least_score(options, settings)
        )

    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        return PoseConverter(classes, Settings.of(cfg), options)

    def evaluate(
        self,
        converter: Converter,
        out_dir: Path,
        root: Path,
        split: Split,
        names: Sequence[str] | None,
        nproc: int,
        *,
        apart: bool = False,
    ) -> Scores:
        scores = super().evaluate(converter, out_dir, root, split, names, nproc, apart=apart)
        assert isinstance(converter, PoseConverter)
        if converter.options.source == "annotations":
            print(GROUND_TRUTH_NOTE)
        return scores


def _with_boxes(
    records: Iterable[ImageRecord],
    boxes: Mapping[str, tuple[PersonBox, ...]],
    options: PoseOptions,
) -> Iterator[ImageRecord]:
    """Records with their boxes; as they are where a detector is to find them."""
    for record in records:
        searched = options.source == "detector"
        yield record if searched else replace(record, extra=boxes.get(record.name, ()))


def _least_score(options: PoseOptions, settings: Settings) -> float:
    return settings.box_threshold if options.box_score_thr is None else options.box_score_thr


class PoseForward:
    """An MMPose model over all people of some images, ``people_per_batch`` at a time."""

    def __init__(
        self,
        network: nn.Module,
        people_per_batch: int,
        joints: int = len(classes.POSE_KEYPOINTS),
    ) -> None:
        self.network = network
        self._people = people_per_batch
        self._joints = joints
        for name, layer in network.named_modules():
            if name == "keypoint_head.final_layer":
                # Heat maps leave it in float32, whatever it computes in.
                layer.register_forward_hook(lambda _layer, _inputs, maps: maps.float())

    def __call__(self, batch: Sequence[Crops]) -> list[Poses]:
        import torch

        images = torch.cat([crops.images for crops in batch])
        metas = [meta for crops in batch for meta in crops.metas]
        keypoints = [np.zeros((0, self._joints, 3), np.float32)]
        areas = [np.zeros(0, np.float32)]
        for start in range(0, len(metas), self._people):
            part = slice(start, start + self._people)
            result = self.network(img=images[part], img_metas=metas[part], return_loss=False)
            keypoints.append(result["preds"])
            areas.append(result["boxes"][:, 4])
        ends = np.cumsum([len(crops.metas) for crops in batch])[:-1]
        return [
            Poses(points, area, crops.boxes)
            for points, area, crops in zip(
                np.split(np.concatenate(keypoints), ends),
                np.split(np.concatenate(areas), ends),
                batch,
                strict=True,
            )
        ]


class FindPeople:
    """The detector, and then the poses of whom it found."""

    def __init__(
        self,
        detector: Detector,
        crop: CropPipeline,
        estimate: PoseForward,
        categories: Sequence[str],
        threshold: float,
    ) -> None:
        self._detector = detector
        self._crop = crop
        self._estimate = estimate
        self._categories = categories
        self._threshold = threshold

    def __call__(self, batch: Search) -> list[Poses]:
        found = [
            self._crop(replace(record, extra=self._people(result)))
            for record, result in zip(
                batch.records, self._detector.forward(batch.batch), strict=True
            )
        ]
        device = self._detector.device
        return self._estimate(
            [crops.map_tensors(lambda image: image.to(device)) for crops in found]
        )

    def _people(self, result: Any) -> tuple[PersonBox, ...]:
        found = self._detector.converter.arrays(result)
        names = [self._detector.classes[label] for label in found["classes"].tolist()]
        return detected_boxes(
            found["boxes"], found["scores"], names, self._categories, self._threshold
        )


class PoseConverter(Converter):
    """Poses rescored, those that repeat a better one dropped, the rest best first."""

    outputs = (OutputFile("pose", "result_keypoints.json", first_id=0),)

    def __init__(
        self,
        classes: tuple[str, ...],
        settings: Settings,
        options: PoseOptions,
        joints: Sequence[int] | None = None,
    ) -> None:
        """``joints`` are those that the network knows, where it does not know all of them."""
        self.classes = classes
        self.options = options
        self._settings = settings
        self._joints = list(range(len(settings.sigmas)) if joints is None else joints)

    def __call__(self, result: Poses, record: ImageRecord) -> Prediction:
        keypoints, scores, corners = self._kept(result)
        labels = pose_labels(keypoints, scores, corners, category=self.classes[0])
        return Prediction({"pose": {"name": record.name, "labels": labels}})

    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        return Prediction({"pose": {"name": record.name, "labels": []}})

    def arrays(self, result: Poses) -> dict[str, np.ndarray]:
        keypoints, scores, corners = self._kept(result)
        return {
            "keypoints": keypoints,
            "scores": scores.astype(np.float32),
            "boxes": corners.astype(np.float32),
            "classes": np.zeros(len(scores), np.int64),
        }

    def _kept(self, result: Poses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(Q, 18, 3) keypoints, (Q,) scores and (Q, 4) corners of the poses that are written."""
        boxes = np.array(result.boxes, dtype=np.float64).reshape(-1, 5)
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], axis=1)
        scores = pose_scores(
            result.keypoints[..., 2], boxes[:, 4], self._settings.keypoint_threshold
        )
        kept = oks_nms(
            result.keypoints[:, self._joints, :2],
            scores,
            result.areas,
            self._settings.sigmas[self._joints],
            self._settings.oks_threshold,
        )
        return result.keypoints[kept], scores[kept], corners[kept]

    def identity(self) -> dict[str, Any]:
        """The boxes; those of files and annotations are part of the records."""
        if self.options.source != "detector":
            return {"boxes": self.options.source}
        return {
            "boxes": self.options.detector,
            "box categories": list(self.options.box_categories),
            "box threshold": _least_score(self.options, self._settings),
        }

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        if self.options.source == "boxes":
            missing = sum(not record.extra for record in records)
            print(f"boxes: {self.options.boxes} ({missing} of {len(records)} images have none)")
        elif self.options.source == "detector":
            print(f"boxes: found by {self.options.detector}")
        else:
            print("boxes: annotated ones")


@dataclass(frozen=True)
class Settings:
    """What the config says about people, keypoints and their scores.

    Attributes:
        image_size: (width, height) of a crop, pixels.
        flip_pairs: keypoints that change places in a mirrored image.
        sigmas: (K,) of the object keypoint similarity, one for each joint.
        keypoint_threshold: keypoints below it do not count for the score of a pose.
        oks_threshold: similarity above which a pose repeats a better one.
        box_threshold: least score of a box.
        people_per_batch: crops that go through the network together.
    """

    image_size: tuple[int, int]
    flip_pairs: list[list[int]]
    sigmas: np.ndarray
    keypoint_threshold: float
    oks_threshold: float
    box_threshold: float
    people_per_batch: int

    @classmethod
    def of(cls, cfg: Config) -> Settings:
        """Read ``data.test``.

        Raises:
            UserError: ``data_cfg`` or ``dataset_info`` are missing, or ask for soft suppression.
        """
        from mmpose.datasets import DatasetInfo

        data = test_data(cfg)
        for key in ("data_cfg", "dataset_info"):
            if not isinstance(data.get(key), Mapping):
                raise UserError(f"{cfg.filename}: data.test has no {key}, which every pose needs")
        data_cfg, info = data["data_cfg"], DatasetInfo(data["dataset_info"])
        if data_cfg.get("soft_nms"):
            raise UserError(f"{cfg.filename}: soft_nms is not supported, set it to False")
        loader = cfg.data.get("test_dataloader") or {}
        return cls(
            image_size=tuple(data_cfg["image_size"]),
            flip_pairs=info.flip_pairs,
            sigmas=info.sigmas,
            keypoint_threshold=data_cfg.get("vis_thr", 0.2),
            oks_threshold=data_cfg.get("oks_thr", 0.9),
            box_threshold=data_cfg.get("det_bbox_thr", 0.0),
            people_per_batch=loader.get("samples_per_gpu", 32),
        )


class CropPipeline(Pipeline):
    """The config's test pipeline over all boxes of an image; the picture is read once."""

    def __init__(self, data: Mapping[str, Any], settings: Settings) -> None:
        from mmpose.datasets.pipelines import Compose

        self._load = Compose(data["pipeline"][:1])
        self._rest = Compose(data["pipeline"][1:])
        self._settings = settings

    def __call__(self, record: ImageRecord) -> Crops:
        """Crops of the people of a picture."""
        import torch

        width, height = self._settings.image_size
        load = load_from(self._load, record)
        picture = load({"image_file": record.path, "ann_info": self._annotation_info()})
        samples = [
            self._rest(picture | self._person(index, box)) for index, box in enumerate(record.extra)
        ]
        images = [sample["img"] for sample in samples]
        return Crops(
            images=torch.stack(images) if images else torch.zeros(0, 3, height, width),
            metas=[sample["img_metas"].data for sample in samples],
            boxes=record.extra,
        )

    def key(self, sample: Any) -> Hashable:
        """Any crops go together: all have one size."""
        return ()

    def collate(self, samples: list[Any]) -> list[Crops]:
        """The crops of each picture."""
        return samples

    def _annotation_info(self) -> dict[str, Any]:
        return {
            "image_size": np.array(self._settings.image_size),
            "num_joints": len(self._settings.sigmas),
            "flip_pairs": self._settings.flip_pairs,
        }

    def _person(self, index: int, box: PersonBox) -> dict[str, Any]:
        joints = (len(self._settings.sigmas), 3)
        return {
            "bbox": list(box[:4]),
            "bbox_score": box.score,
            "bbox_id": index,
            "rotation": 0,
            "joints_3d": np.zeros(joints, dtype=np.float32),
            "joints_3d_visible": np.zeros(joints, dtype=np.float32),
        }


class DetectorPipeline(Pipeline):
    """The detector's pipeline; the pixels go along, for the crops that follow."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __call__(self, record: ImageRecord) -> Unsearched:
        if record.pixels is None:
            from bdd100k_models.visualization import read_picture

            record = replace(record, pixels=read_picture(record.path))
        return Unsearched(record, self._pipeline(record))

    def key(self, sample: Unsearched) -> Hashable:
        """As the detector's samples go together."""
        return self._pipeline.key(sample.sample)

    def collate(self, samples: list[Unsearched]) -> Search:
        """A batch of the detector, and the records."""
        batch = self._pipeline.collate([sample.sample for sample in samples])
        return Search([sample.record for sample in samples], batch)


TASK = PoseTask
