"""A model made ready to predict: the one that ``test.py``, validation and Python users call."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bdd100k_models import weights
from bdd100k_models.config import load_config, registry_hint
from bdd100k_models.engine.acceleration import accelerate, repeat_for_any_threads
from bdd100k_models.engine.compilation import compile_backbone
from bdd100k_models.engine.devices import resolve_device, set_matmul_precision
from bdd100k_models.engine.loading import (
    Batch,
    Grouping,
    Problem,
    load,
    load_ahead,
    one_line,
    to_device,
)
from bdd100k_models.engine.model import load_network, name_classes, public_weights
from bdd100k_models.engine.precision import apply_precision
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.system import keep_freed_memory
from bdd100k_models.tasks import task_of
from bdd100k_models.tasks.base import (
    ImageRecord,
    Pipeline,
    Prediction,
    Task,
    VideoPlace,
    records_of_images,
)
from bdd100k_models.tasks.videos import records_of_videos

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


class Predictor:
    """A model of the zoo, ready to predict.

    >>> predict = Predictor("faster_rcnn_r50_fpn_1x_det_bdd100k", checkpoint="weights.pth")
    >>> for result in predict("pictures/", batch_size=4):
    ...     result.frame, result.arrays, result.draw()

    Args:
        config: a config file, a published name, or a config.
        checkpoint: a file or URL; None looks for the published weights, as ``test.py`` does;
            ``"public"`` stands for weights of others that fit the model (see ``tasks.zero_shot``).
        device: ``auto`` (the first GPU, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``tf32``, ``fp16`` or ``bf16``; see ``--precision``.
        compile: compile the backbone; the first picture of each size takes longer.
        fuse_conv_bn: fold batch norm into the convolutions before it.
        cfg_options: overrides of config entries, by dotted key.
        data_root: the folder that holds ``images/`` and ``labels/``.
        report: takes notes, such as what of a checkpoint a newer version computes anew.
        ranks: this process among others that do the same.
        task: what the model does, where the config does not tell.
        settings: the options of the task, settled, in the place of ``options``.
        options: those of the task: ``masks`` of segmentation; ``boxes``, ``detector``,
            ``detector_checkpoint``, ``box_categories`` and ``box_score_thr`` of pose.

    Attributes:
        task: what the model does.
        cfg: its config.
        classes: what its classes are called, in the order of its outputs: as the checkpoint says,
            else as the config.
        device: where it runs.
        network: the ``nn.Module``, in eval mode.
        pipeline: from a record to a sample.
        forward: from a batch of samples to raw results.
        converter: from a raw result to what is written.
        public: whose weights it runs with, where they are not the zoo's; else None.

    Raises:
        UserError: no such config or device, or a checkpoint that is missing, damaged, unsafe, or
            belongs to another model.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        fuse_conv_bn: bool = False,
        cfg_options: Mapping[str, Any] | None = None,
        data_root: str | Path | None = None,
        report: Callable[[str], None] = print,
        ranks: Ranks | None = None,
        task: Task | None = None,
        settings: Any = None,
        **options: Any,
    ) -> None:
        ranks = ranks or Ranks()
        with ranks.together():
            cfg: Config = (
                load_config(config, options=cfg_options, data_root=data_root)
                if isinstance(config, (str, Path))
                else config
            )
            task = task or task_of(cfg)
            settled = settings or task.settle(
                task.options(**options), cfg, split="val", images=True
            )
            self.public = public_weights(cfg, checkpoint)
            chosen = resolve_device(device, ranks)
            set_matmul_precision(tf32=precision == "tf32")
            if chosen.type == "cpu":
                keep_freed_memory()
                repeat_for_any_threads()
        self.checkpoint: Path | None = find_weights(cfg, task, checkpoint, ranks, report)
        self.fused = fuse_conv_bn
        wanted = task.detector(settled)
        detector = None
        if wanted is not None:
            if self.public is not None and wanted[1] is None:
                wanted = (wanted[0], weights.PUBLIC)
            detector = _detector(*wanted, device=device, ranks=ranks, report=report)
        with ranks.together():
            network, meta, self.public = load_network(
                task, cfg, self.checkpoint, self.public, report
            )
            if fuse_conv_bn:
                from mmcv.cnn import fuse_conv_bn as fuse

                network = fuse(network)
            self._assemble(
                task, cfg, network, chosen, settled, detector, precision, meta, report, compile
            )

    @classmethod
    def of_network(
        cls,
        task: Task,
        cfg: Config,
        network: nn.Module,
        device: torch.device,
        *,
        options: Any = None,
        detector: Predictor | None = None,
        precision: str = "auto",
        classes: tuple[str, ...] | None = None,
    ) -> Predictor:
        """A network that is there already; it is changed in place.

        ``options`` are those of the task, settled; ``classes`` are its names where they are not
        the config's.
        """
        self = cls.__new__(cls)
        self.checkpoint, self.fused, self.public = None, False, None
        settled = task.settle(task.options(), cfg, split="val", images=False)
        meta = {"CLASSES": classes} if classes else {}
        self._assemble(
            task, cfg, network, device, options or settled, detector, precision, meta, print
        )
        return self

    def _assemble(
        self,
        task: Task,
        cfg: Config,
        network: nn.Module,
        device: torch.device,
        options: Any,
        detector: Predictor | None,
        precision: str,
        meta: Mapping[str, Any],
        report: Callable[[str], None],
        compile: bool = False,
    ) -> None:
        self.task, self.cfg, self.device = task, cfg, device
        self.options, self.detector, self.precision = options, detector, precision
        public = self.public = self.public and self.public.named_by(meta)
        if public is None:
            self.classes = name_classes(task, cfg, network, meta, report)
            network.CLASSES = self.classes  # type: ignore[assignment]
        else:
            report(public.line())
            network.CLASSES = public.classes.source  # type: ignore[assignment]
        self.network = network.to(device).eval()
        if device.type == "cpu":
            accelerate(self.network, pack=not compile)
        if compile:
            compile_backbone(self.network, device)
        apply_precision(self.network, cfg, precision, device)
        own = cfg if public is None else public.config(cfg)
        self.pipeline = build_pipeline(task, own, options, detector)
        self.forward = task.forward(self.network, own, options, detector)
        if public is None:
            self.converter = task.converter(cfg, options, self.classes)
        else:
            self.forward = public.forward(self.forward)
            self.converter = public.converter(task, cfg, options)
            self.classes = self.converter.classes

    # -- for Python users ---------------------------------------------------------------------

    def __call__(
        self, images: Any, batch_size: int = 1, *, strict: bool = True
    ) -> Iterator[Result]:
        """Results of pictures, one by one in their order, as they are computed.

        Args:
            images: a picture file, a folder, a glob pattern; an array, (H, W, 3) uint8 RGB; a PIL
                picture; or any iterable of these, a generator too. For tracking what ``--images``
                takes, or an iterable of pictures, which are the frames of one video in order.
            batch_size: pictures that go through the network together; frames of videos go alone.
            strict: raise at a picture that cannot be read or predicted; else its result says so
                in ``error``.

        Raises:
            UserError: nothing at a path, or with ``strict`` the first picture that failed.
        """
        next_id = self.converter.outputs[0].first_id
        records: Iterator[ImageRecord]
        if self.task.facts.videos:
            records, batch_size = iter(frames_of(images)), 1
        else:
            records = self.task.complete(records_of(images), self.cfg, self.options)
        for batches in load_ahead(records, self.pipeline, batch_size):
            results = {p.record.index: Result(self, p.record, problem=p) for p in batches.problems}
            for batch in batches.batches:
                for record, raw in self.attempt(batch):
                    problem = raw if isinstance(raw, Problem) else None
                    results[record.index] = Result(self, record, raw, problem)
            for _, result in sorted(results.items()):
                if strict and result.error is not None:
                    raise UserError(result.error)
                next_id = result.number_from(next_id)
                yield result

    # -- for the engine -----------------------------------------------------------------------

    @cached_property
    def checkpoint_md5(self) -> str | None:
        """Of the checkpoint file; None for a network that did not come from one."""
        return weights.md5(self.checkpoint) if self.checkpoint is not None else None

    def attempt(self, batch: Batch) -> Iterator[tuple[ImageRecord, Any]]:
        """The raw result of each image of a batch, or the :class:`Problem` that it made.

        When a batch fails, its images are tried one by one.
        """
        try:
            with torch.inference_mode():
                results = self.forward(to_device(batch.data, self.device))
        except Exception as error:  # whatever a network trips over, for one picture
            if len(batch.records) == 1:
                yield batch.records[0], network_problem(batch.records[0], error)
                return
        else:
            yield from zip(batch.records, results, strict=True)
            return
        for record in batch.records:
            alone = Grouping(self.pipeline)([load(record, self.pipeline)])
            yield from self.attempt(alone.batches[0])

    def convert(self, raw: Any, record: ImageRecord) -> Prediction | Problem:
        """What is written for a raw result; numbers that no file can hold are a problem."""
        try:
            return self.converter(raw, record)
        except ValueError as error:
            return Problem(record, f"{record.path}: {one_line(error)}", own=False)

    def nothing(self, record: ImageRecord) -> Prediction:
        """What is written in the place of an image that failed."""
        return self.converter.nothing(record, *_size(record))


@dataclass
class Result:
    """What a model found in one picture.

    Attributes:
        predictor: who found it.
        record: the picture.
        raw: the result as the task's network gives it.
        problem: why there is no result, or None.
    """

    predictor: Predictor
    record: ImageRecord
    raw: Any = None
    problem: Problem | None = None
    _first_id: int | None = None

    @property
    def name(self) -> str:
        """Name of the frame."""
        return self.record.name

    @property
    def path(self) -> str:
        """The picture's file."""
        return self.record.path

    @property
    def error(self) -> str | None:
        """Why there is no result, in one line, or None."""
        return self.problem.reason if self.problem is not None else None

    @cached_property
    def prediction(self) -> Prediction:
        """What ``test.py`` writes: JSON entries by file, and masks."""
        if self.problem is None:
            made = self.predictor.convert(self.raw, self.record)
            if not isinstance(made, Problem):
                return made
            self.problem = made
        return self.predictor.nothing(self.record)

    def number_from(self, first_id: int | None) -> int | None:
        """Count the labels' ids from here, as over a data set; gives where the next one begins."""
        self._first_id = first_id
        labels = self._entry.get("labels") or ()
        return None if first_id is None else first_id + len(labels)

    @property
    def _entry(self) -> dict[str, Any]:
        entry: dict[str, Any] = self.prediction.entries[self.predictor.converter.outputs[0].key]
        return entry

    @cached_property
    def frame(self) -> dict[str, Any]:
        """The Scalabel frame, as the task's JSON file has it."""
        if self._first_id is None:
            return self._entry
        labels = [
            {"id": str(number), **label}
            for number, label in enumerate(self._entry["labels"], start=self._first_id)
        ]
        return {**self._entry, "labels": labels}

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The result as named arrays, in pixels of the picture; empty where there is none.

        =============== ============================ ==============================================
        ``boxes``       (N, 4) float32               x1 y1 x2 y2 (det, ins_seg, pose)
        ``scores``      (N,) float32                 0 to 1 (det, ins_seg, pose); (C,) for tagging
        ``classes``     (N,) int64                   index into ``predictor.classes``
        ``masks``       (N, H, W) bool               whole instances (ins_seg)
        ``keypoints``   (N, 18, 3) float32           x y score (pose)
        ``class_map``   (H, W) uint8                 class index (sem_seg, drivable, pan_seg);
                                                     in pan_seg the number of classes for none
        ``instance_map`` (H, W) int32                0 for stuff (pan_seg)
        =============== ============================ ==============================================
        """
        if self.error is not None:
            return {}
        return self.predictor.converter.arrays(self.raw)

    def draw(self, min_score: float = 0.3) -> np.ndarray:
        """The picture with the result drawn onto it, (H, W, 3) uint8 RGB."""
        from bdd100k_models.visualization import draw_frame, read_picture

        pixels = self.record.pixels
        picture = read_picture(self.record.path) if pixels is None else pixels
        return draw_frame(picture, self.frame, min_score=min_score)

    def to_supervision(self) -> Any:
        """``supervision.Detections`` of boxes and masks, where that package is installed.

        Raises:
            UserError: it is not, or the task gives no boxes.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise UserError("to_supervision: pip install supervision first") from error
        found = self.arrays
        if "boxes" not in found:
            raise UserError(f"to_supervision: {self.predictor.task.name} gives no boxes")
        classes = self.predictor.classes
        return Detections(
            xyxy=found["boxes"],
            confidence=found["scores"],
            class_id=found["classes"],
            mask=found.get("masks"),
            data={"class_name": np.array([classes[i] for i in found["classes"]], dtype=str)},
        )


def records_of(images: Any) -> Iterator[ImageRecord]:
    """Records of whatever :meth:`Predictor.__call__` takes, numbered in their order.

    Raises:
        UserError: nothing at a path, or an object that is no picture.
    """
    counter = itertools.count()
    for item in [images] if _is_one(images) else images:
        if isinstance(item, (str, os.PathLike)):
            for record in records_of_images(os.fspath(item)):
                yield ImageRecord(next(counter), record.name, record.path)
        else:
            index = next(counter)
            name = f"{index:07d}.jpg"
            yield ImageRecord(index, name, name, pixels=_pixels(item))


def frames_of(images: Any) -> Iterator[ImageRecord]:
    """Frames of videos of whatever :meth:`Predictor.__call__` takes.

    Raises:
        UserError: nothing at a path, or an object that is no picture.
    """
    if isinstance(images, (str, os.PathLike)):
        yield from records_of_videos(os.fspath(images))
        return
    for record in records_of(images):
        place = VideoPlace("video", record.index)
        name = f"video/video-{record.index + 1:07d}.jpg"
        yield replace(record, name=name, place=place)


def _is_one(images: Any) -> bool:
    return isinstance(images, (str, os.PathLike)) or hasattr(images, "__array_interface__")


def _pixels(item: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an array or a PIL picture.

    Raises:
        UserError: it is neither.
    """
    if hasattr(item, "getexif"):  # PIL: upright as a file is read, and in three channels
        from PIL import ImageOps

        item = ImageOps.exif_transpose(item).convert("RGB")
    pixels = np.asarray(item)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise UserError(
            f"a picture must be (H, W, 3) uint8 RGB, this is {pixels.shape} {pixels.dtype}"
        )
    return np.ascontiguousarray(pixels)


def _size(record: ImageRecord) -> tuple[int, int]:
    """Height and width by the file's header; those of BDD100K where there is none to read."""
    if record.pixels is not None:
        return record.pixels.shape[0], record.pixels.shape[1]
    from PIL import Image

    try:
        with Image.open(record.path) as picture:
            return picture.height, picture.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 720, 1280


def network_problem(record: ImageRecord, error: Exception) -> Problem:
    """What a network tripped over, as the problem of one picture."""
    if isinstance(error, UserError):
        return Problem(record, f"{record.path}: {error}", own=True)
    text = str(error)
    memory = isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or (
        "allocate memory" in text or "out of memory" in text
    )
    if memory:
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        height, width = _size(record)
        reason = f"{record.path}: {width} x {height} pixels are too many for the memory"
    else:
        reason = f"{record.path}: the network failed: {one_line(error)}"
    return Problem(record, reason, own=memory)


def find_weights(
    cfg: Config,
    task: Task,
    given: str | Path | None,
    ranks: Ranks,
    report: Callable[[str], None],
) -> Path:
    """The checkpoint file; one process of a node looks first, and downloads.

    Raises:
        UserError: on every rank; found nowhere.
    """
    path = None
    with ranks.together():
        if ranks.local == 0:
            path = weights.find_checkpoint(cfg, task.name, given, report=report)
    if path is None:
        path = weights.find_checkpoint(cfg, task.name, given, report=lambda text: None)
    return path


def _detector(
    config: str, checkpoint: str | None, *, device: str, ranks: Ranks, report: Callable[[str], None]
) -> Predictor:
    """The model that finds the people of a pose estimator.

    Raises:
        UserError: no such config, one of another task, or weights that are found nowhere.
    """
    with ranks.together():
        cfg = load_config(config)
        task = task_of(cfg)
        if task.name != "det":
            raise UserError(f"--detector {config} is a model for {task.name}, not for det")
    try:
        if checkpoint == weights.PUBLIC:
            return Predictor(cfg, checkpoint, device=device, ranks=ranks, report=report)
        found = find_weights(cfg, task, checkpoint, ranks, report)
    except UserError as error:
        raise type(error)(
            f"the detector that finds the people has no weights: {error}. For pose, --boxes "
            "det.json does without a detector; --detector and --detector-checkpoint choose another"
        ) from error
    return Predictor(cfg, found, device=device, ranks=ranks, report=report)


def build_pipeline(task: Task, cfg: Config, options: Any, detector: Predictor | None) -> Pipeline:
    """The test pipeline of a config.

    Raises:
        UserError: a step that the task's package does not know, or wrong arguments of one.
    """
    try:
        return task.pipeline(cfg, options, detector)
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        reason = f"{error}{registry_hint(error)}" if str(error) else "it is not a list of steps"
        raise UserError(f"{cfg.filename}: data.test.pipeline cannot be built: {reason}") from error
