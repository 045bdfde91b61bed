"""Pose estimation of pedestrians: 18 keypoints. MMPose; ``result_keypoints.json``; OKS AP.

Top-down: people are found first, then each is cropped and its keypoints are read from heat maps.
The boxes come from a ``det.json``, from a detector of this zoo that runs on the same images, or
from the annotations.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.oks import oks_nms, pose_scores
from bdd100k_models.frames.pose import pose_labels
from bdd100k_models.tasks.base import (
    Helper,
    ImageRecord,
    OutputFile,
    Prediction,
    Split,
    Task,
    test_data,
)
from bdd100k_models.tasks.pose_boxes import (
    PersonBox,
    annotated_boxes,
    detected_boxes,
    predicted_boxes,
)
from bdd100k_models.zoo import classes

if TYPE_CHECKING:
    from mmcv import Config
    from torch import Tensor, nn

    from bdd100k_models.evaluation import Scores

#: Finds the people where neither boxes nor annotations are given.
DEFAULT_DETECTOR = "faster_rcnn_r50_fpn_3x_det_bdd100k"

GROUND_TRUTH_NOTE = (
    "note: poses were estimated in the annotated boxes; the AP is not comparable with the "
    "published one, which had boxes of a detector (pass --boxes det.json or --detector CONFIG)"
)


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

    name = "pose"
    title = "Pose estimation"
    classes = (classes.POSE_CATEGORY,)
    image_set = "100k"
    headline = ("AP", "AP50", "AP75")

    def __init__(self) -> None:
        self._boxes_file: Path | None = None
        self._box_categories: tuple[str, ...] = (classes.POSE_CATEGORY,)
        self._box_threshold: float | None = None
        self._detector_name: str | None = None
        self._detector_checkpoint: str | None = None
        self._detector: Helper | None = None
        self._detector_model: nn.Module | None = None
        self._settings: Settings | None = None
        self._crop: CropPipeline | None = None

    def register(self) -> None:
        from bdd100k_models.tasks import pose_datasets  # noqa: F401

    def bind(self, cfg: Config) -> None:
        """Take the size of the crops, and how poses are scored and compared.

        Raises:
            UserError: the config lacks them, or asks for soft suppression.
        """
        self._settings = Settings.of(cfg)

    def build_network(self, model_cfg: Config) -> nn.Module:
        from mmpose.models import build_posenet

        return build_posenet(model_cfg)

    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        from mmpose.datasets import build_dataset

        return build_dataset(data_cfg, default_args)

    def outputs(self) -> tuple[OutputFile, ...]:
        return (OutputFile("pose", "result_keypoints.json", first_id=0),)

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

    def configure(self, args: Namespace, cfg: Config) -> None:
        """Take the options; files are looked for when the images are known.

        Raises:
            UserError: contradicting options, or a det.json that is not there.
        """
        if args.boxes and args.detector:
            raise UserError("--boxes and --detector exclude each other: both give the boxes")
        if args.detector_checkpoint and not args.detector:
            raise UserError("--detector-checkpoint needs --detector CONFIG, the model it is for")
        if args.boxes and not Path(args.boxes).expanduser().is_file():
            raise UserError(f"--boxes {args.boxes}: no such file; det/test.py writes one")
        self._boxes_file = Path(args.boxes).expanduser() if args.boxes else None
        self._box_categories = tuple(args.box_categories)
        self._box_threshold = args.box_score_thr
        self._detector_name = args.detector
        self._detector_checkpoint = args.detector_checkpoint

    def records(
        self, cfg: Config, *, split: Split = "val", images: str | None = None
    ) -> list[ImageRecord]:
        """Images with their boxes in ``extra``; without, where a detector is to find them.

        Raises:
            UserError: no images; a det.json that has none of them; or a detector that is none, or
                whose weights are found nowhere.
        """
        found = super().records(cfg, split=split, images=images)
        annotations = self._annotations(cfg) if images is None and split != "test" else None
        if self._boxes_file is not None:
            threshold = self._least_box_score()
            boxes = predicted_boxes(self._boxes_file, self._box_categories, threshold)
            if not any(record.name in boxes for record in found):
                raise UserError(
                    f"--boxes {self._boxes_file} has none of the {len(found)} images, first "
                    f"{found[0].name!r}; run det/test.py on the same images"
                )
        elif self._detector_name is None and annotations is not None:
            boxes = annotated_boxes(annotations)
        else:
            name = self._detector_name or DEFAULT_DETECTOR
            self._detector = find_detector(name, self._detector_checkpoint)
            return found
        return [replace(record, extra=boxes.get(record.name, ())) for record in found]

    def _annotations(self, cfg: Config) -> Path | None:
        """The annotation file that the config's test data names, if it is there."""
        _, annotations = self.sources(test_data(cfg))
        return annotations if annotations is not None and annotations.is_file() else None

    def _least_box_score(self) -> float:
        assert self._settings is not None
        if self._box_threshold is not None:
            return self._box_threshold
        return self._settings.box_threshold

    def run_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"boxes": "annotations"}
        if self._boxes_file is not None:
            options = {"boxes": "file"}  # the boxes themselves are part of the records
        elif self._detector is not None:
            from bdd100k_models.weights import md5

            options = {
                "boxes": Path(self._detector.cfg.filename).stem,
                "detector checkpoint": md5(self._detector.checkpoint),
                "box categories": list(self._box_categories),
                "box threshold": self._least_box_score(),
            }
        return options

    def adapt(self, model: nn.Module) -> None:
        """Heat maps leave the network in float32, whatever it computes in."""
        for name, layer in model.named_modules():
            if name == "keypoint_head.final_layer":
                layer.register_forward_hook(lambda _layer, _inputs, maps: maps.float())

    def helper(self) -> Helper | None:
        """The detector that finds the people, where the boxes do not come from a file."""
        return self._detector

    def take_helper(self, model: nn.Module) -> None:
        self._detector_model = model

    # -- from an image to its poses -------------------------------------------------------------

    def pipeline(self, cfg: Config) -> Callable[[ImageRecord], Any]:
        assert self._settings is not None
        self._crop = CropPipeline(test_data(cfg), self._settings)
        if self._detector is None:
            return self._crop
        return DetectorPipeline(self._detector.task.pipeline(self._detector.cfg))

    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Poses]:
        assert self._settings is not None
        if "detector" in batch:
            crops = self._find_people(batch, next(model.parameters()).device)
        else:
            crops = [
                Crops(images, metas, boxes)
                for images, (metas, boxes) in zip(batch["img"], batch["people"], strict=True)
            ]
        return estimate(model, crops, self._settings.people_per_batch)

    def _find_people(self, batch: dict[str, Any], device: Any) -> list[Crops]:
        from bdd100k_models.tasks.det import flatten_boxes

        assert self._detector is not None and self._detector_model is not None
        assert self._crop is not None
        detector = self._detector_model.to(device)
        crops = []
        results = self._detector.task.predict(detector, batch["detector"])
        for record, result in zip(batch["records"], results, strict=True):
            boxes, scores, labels = flatten_boxes(result)
            people = detected_boxes(
                boxes,
                scores,
                [self._detector.task.classes[label] for label in labels],
                self._box_categories,
                self._least_box_score(),
            )
            found = self._crop.crops(record.path, people)
            crops.append(replace(found, images=found.images.to(device)))
        return crops

    def convert(self, result: Poses, record: ImageRecord) -> Prediction:
        """Rescore the poses, drop those that repeat a better one, write the rest best first."""
        assert self._settings is not None
        boxes = np.array(result.boxes, dtype=np.float64).reshape(-1, 5)
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]], axis=1)
        scores = pose_scores(
            result.keypoints[..., 2], boxes[:, 4], self._settings.keypoint_threshold
        )
        kept = oks_nms(
            result.keypoints[..., :2],
            scores,
            result.areas,
            self._settings.sigmas,
            self._settings.oks_threshold,
        )
        frame = {
            "name": record.name,
            "labels": pose_labels(result.keypoints[kept], scores[kept], corners[kept]),
        }
        return Prediction(entries={"pose": frame}, frame=frame)

    # -- what a reader of the scores has to know ------------------------------------------------

    @property
    def _on_annotated_boxes(self) -> bool:
        return self._boxes_file is None and self._detector is None

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        if self._boxes_file is not None:
            missing = sum(not record.extra for record in records)
            print(f"boxes: {self._boxes_file} ({missing} of {len(records)} images have none)")
        elif self._detector is not None:
            print(f"boxes: {Path(self._detector.cfg.filename).stem}, {self._detector.checkpoint}")
        else:
            print("boxes: annotated ones")

    def evaluate(
        self,
        out_dir: Path,
        root: Path,
        split: Split,
        names: Sequence[str] | None,
        nproc: int,
    ) -> Scores:
        scores = super().evaluate(out_dir, root, split, names, nproc)
        if self._on_annotated_boxes:
            print(GROUND_TRUTH_NOTE)
        return scores


def find_detector(config: str, checkpoint: str | None) -> Helper:
    """A detection model that finds the people.

    Args:
        config: config file or published name.
        checkpoint: file or URL of its weights; by default those that were published.

    Raises:
        UserError: no such config, one of another task, or weights that are found nowhere.
    """
    from bdd100k_models.config import load_config
    from bdd100k_models.tasks import task_of
    from bdd100k_models.weights import find_checkpoint

    cfg = load_config(config)
    task = task_of(cfg)
    if task.name != "det":
        raise UserError(f"--detector {config} is a model for {task.name}, not for det")
    task.register()
    try:
        path = find_checkpoint(cfg, task.name, checkpoint)
    except UserError as error:
        raise UserError(
            f"the detector that finds the people has no weights: {error}. For pose, --boxes "
            "det.json does without a detector; --detector and --detector-checkpoint choose another"
        ) from error
    return Helper(task, cfg, path)


def estimate(model: nn.Module, crops: Sequence[Crops], people_per_batch: int) -> list[Poses]:
    """The network over all people of some images, ``people_per_batch`` at a time."""
    import torch

    images = torch.cat([crop.images for crop in crops])
    metas = [meta for crop in crops for meta in crop.metas]
    keypoints = [np.zeros((0, len(classes.POSE_KEYPOINTS), 3), np.float32)]
    areas = [np.zeros(0, np.float32)]
    for start in range(0, len(metas), people_per_batch):
        part = slice(start, start + people_per_batch)
        result = model(img=images[part], img_metas=metas[part], return_loss=False)
        keypoints.append(result["preds"])
        areas.append(result["boxes"][:, 4])
    ends = np.cumsum([len(crop.metas) for crop in crops])[:-1]
    return [
        Poses(points, area, crop.boxes)
        for points, area, crop in zip(
            np.split(np.concatenate(keypoints), ends),
            np.split(np.concatenate(areas), ends),
            crops,
            strict=True,
        )
    ]


@dataclass(frozen=True)
class Settings:
    """What the config says about people, keypoints and their scores.

    Attributes:
        image_size: (width, height) of a crop, pixels.
        flip_pairs: keypoints that change places in a mirrored image.
        sigmas: (18,) of the object keypoint similarity.
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


class CropPipeline:
    """The config's test pipeline over all boxes of an image; the picture is read once."""

    def __init__(self, data: Mapping[str, Any], settings: Settings) -> None:
        from mmpose.datasets.pipelines import Compose

        self._load = Compose(data["pipeline"][:1])
        self._rest = Compose(data["pipeline"][1:])
        self._settings = settings

    def __call__(self, record: ImageRecord) -> dict[str, Any]:
        from mmcv.parallel import DataContainer

        crops = self.crops(record.path, record.extra)
        people = DataContainer((crops.metas, crops.boxes), cpu_only=True)
        return {"img": crops.images, "people": people}

    def crops(self, path: str, boxes: tuple[PersonBox, ...]) -> Crops:
        """Crops of the people of a picture."""
        import torch

        width, height = self._settings.image_size
        picture = self._load({"image_file": path, "ann_info": self._annotation_info()})
        samples = [
            self._rest(picture | self._person(index, box)) for index, box in enumerate(boxes)
        ]
        images = [sample["img"] for sample in samples]
        return Crops(
            images=torch.stack(images) if images else torch.zeros(0, 3, height, width),
            metas=[sample["img_metas"].data for sample in samples],
            boxes=boxes,
        )

    def _annotation_info(self) -> dict[str, Any]:
        return {
            "image_size": np.array(self._settings.image_size),
            "num_joints": len(classes.POSE_KEYPOINTS),
            "flip_pairs": self._settings.flip_pairs,
        }

    @staticmethod
    def _person(index: int, box: PersonBox) -> dict[str, Any]:
        joints = (len(classes.POSE_KEYPOINTS), 3)
        return {
            "bbox": list(box[:4]),
            "bbox_score": box.score,
            "bbox_id": index,
            "rotation": 0,
            "joints_3d": np.zeros(joints, dtype=np.float32),
            "joints_3d_visible": np.zeros(joints, dtype=np.float32),
        }


class DetectorPipeline:
    """The detector's pipeline; the record goes along, for the crops that follow."""

    def __init__(self, pipeline: Callable[[ImageRecord], Any]) -> None:
        self._pipeline = pipeline

    def __call__(self, record: ImageRecord) -> dict[str, Any]:
        from mmcv.parallel import DataContainer

        records = DataContainer(record, cpu_only=True)
        return {"detector": self._pipeline(record), "records": records}


TASK = PoseTask
