"""What a task is, and the three parts that run a model of it.

The path of one image: :class:`ImageRecord` → :class:`Pipeline` (the config's test pipeline, in a
loader process) → forward (the network, made ready once) → :class:`Converter` (arrays to Scalabel
frames) → :class:`Prediction`, which ``engine.run`` writes down.

A :class:`Task` keeps nothing: what a run asked for is in its options, and each part is complete
when the task has made it.
"""

from __future__ import annotations

import copy
import dataclasses
import glob
import os
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.frames.reading import read_names
from bdd100k_models.frames.tracks import video_frame

if TYPE_CHECKING:
    from mmcv import Config
    from torch import Tensor, nn
    from torch import device as Device

    from bdd100k_models.evaluation import Scores
    from bdd100k_models.zoo.tasks import TaskFacts

#: Kinds of other files that a message lists.
_KINDS = 5
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

Split = Literal["val", "test"]

#: The network of a model, ready: a collated batch -> the raw result of each of its images, numpy.
Forward = Callable[[Any], list[Any]]


@dataclass(frozen=True)
class VideoPlace:
    """Which video a picture is a frame of, and which frame of it, from 0."""

    video: str
    frame: int


class PictureSource(Protocol):
    """Where pixels come from that are in no file of their own, such as a frame of a video file."""

    def read(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB; a UserError where they cannot be read."""


@dataclass(frozen=True)
class ImageRecord:
    """One image to predict.

    Attributes:
        index: place in the dataset, from 0; outputs come in this order.
        name: ``name`` of its frame: as the annotation file says, or the path below the folder
            that was given.
        path: the image file.
        extra: what the task's pipeline needs beside the picture (pose: the boxes of people).
        pixels: (H, W, 3) uint8 RGB in the place of the file, or None.
        source: gives the pixels when they are needed, in the place of the file, or None.
        place: of a frame in its video; its ``name`` is then ``VIDEO/NAME``, which says where
            pictures of it go, and that of its Scalabel frame is ``NAME``.
    """

    index: int
    name: str
    path: str
    extra: Any = None
    pixels: np.ndarray | None = field(default=None, repr=False, compare=False)
    source: PictureSource | None = field(default=None, repr=False, compare=False)
    place: VideoPlace | None = None

    def frame(self, labels: list[Any]) -> dict[str, Any]:
        """Its Scalabel frame."""
        if self.place is None:
            return {"name": self.name, "labels": labels}
        name = self.name[len(self.place.video) + 1 :]
        return video_frame(name, self.place.video, self.place.frame, labels)


@dataclass(frozen=True)
class OutputFile:
    """A JSON file with one entry per image, in dataset order.

    Attributes:
        key: the entry of :attr:`Prediction.entries` that goes into it.
        filename: its name in the output folder.
        frames: True for ``{"frames": [...]}``, False for a bare list.
        first_id: where the count of label ids over the whole dataset begins; None: labels bring
            their own ids, or have none.
    """

    key: str
    filename: str
    frames: bool = True
    first_id: int | None = None


@dataclass
class Prediction:
    """What one image gave.

    Attributes:
        entries: JSON-able entry by key of :class:`OutputFile`; frames without label ids.
        pictures: PNG files to write, path below the output folder -> (H, W[, 4]) uint8.
    """

    entries: dict[str, Any]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class NoOptions:
    """The options of a task that has none."""


@dataclass(frozen=True)
class MaskOptions:
    """Options of the tasks that can write masks: ``masks`` asks for PNGs beside the JSON."""

    masks: bool = False


class Pipeline(ABC):
    """How a picture becomes a sample, and samples a batch. Picklable, for loader processes."""

    @abstractmethod
    def __call__(self, record: ImageRecord) -> Any:
        """The sample of a record.

        Raises:
            Exception: whatever a decoder or a step of the config's pipeline trips over.
        """

    def key(self, sample: Any) -> Hashable:
        """Samples with the same key can go through the network together: those of one shape."""
        return _shapes(sample)

    def collate(self, samples: list[Any]) -> Any:
        """A batch of samples of one key: tensors stacked, everything else in lists."""
        from mmcv.parallel import collate

        return _opened(collate(samples, samples_per_gpu=len(samples)))


class StepsPipeline(Pipeline):
    """The test pipeline of a config, which begins by loading a picture from a file.

    Args:
        steps: the config's pipeline.
        compose: ``Compose`` of the task's package.
        extra: what the package's datasets put beside the picture.
    """

    def __init__(
        self, steps: Any, compose: Callable[[Any], Any], extra: Mapping[str, Any] | None = None
    ) -> None:
        self._steps = compose(steps)
        self._extra = dict(extra or {})

    def __call__(self, record: ImageRecord) -> Any:
        steps = load_from(self._steps, record)
        return steps({"img_info": {"filename": record.path}, "img_prefix": None, **self._extra})


class PixelsClient:
    """In the place of mmcv's file client: pixels that are in memory, as a file's content.

    So a loading step treats them just as those of a lossless file.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def get(self, _: str) -> bytes:
        """The pixels as a BMP file, which takes about as long as a copy."""
        import cv2

        return bytes(cv2.imencode(".bmp", cv2.cvtColor(self._pixels, cv2.COLOR_RGB2BGR))[1].data)


def load_from(steps: Any, record: ImageRecord) -> Any:
    """A composed pipeline whose loading step reads a record: its file, or its pixels.

    Threads may share ``steps``, so what reads the pixels of one record is a copy.

    Raises:
        UserError: there are pixels, and the pipeline does not begin by loading a file.
    """
    if record.pixels is None:
        return steps
    if not steps.transforms or not hasattr(steps.transforms[0], "file_client"):
        raise UserError("data.test.pipeline must begin with LoadImageFromFile to take pixels")
    reading, own = copy.copy(steps), copy.copy(steps.transforms[0])
    own.file_client = PixelsClient(record.pixels)
    reading.transforms = [own, *steps.transforms[1:]]
    return reading


def _shapes(data: Any) -> tuple[Hashable, ...]:
    if hasattr(data, "cpu_only"):  # mmcv's DataContainer
        return _shapes(data.data)
    if hasattr(data, "is_floating_point"):
        return (tuple(data.shape),)
    if isinstance(data, Mapping):
        return tuple(part for key in data if key != "img_metas" for part in _shapes(data[key]))
    if isinstance(data, (list, tuple)):
        return tuple(part for item in data for part in _shapes(item))
    return ()


def map_tensors(data: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A nest of mappings, lists, tuples and samples with ``change`` applied to its tensors."""
    if hasattr(data, "is_floating_point"):
        return change(data)
    if hasattr(data, "map_tensors"):
        return data.map_tensors(change)
    if isinstance(data, Mapping):
        return {key: map_tensors(value, change) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(map_tensors(item, change) for item in data)
    return data


def _opened(data: Any) -> Any:
    """A collated batch with mmcv's containers opened."""
    if hasattr(data, "cpu_only"):
        return _opened(data.data[0])
    if isinstance(data, Mapping):
        return {key: _opened(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_opened(item) for item in data]
    return data


class Converter(ABC):
    """How the raw result of an image becomes what is written.

    Attributes:
        classes: what the network's classes are called, in its order.
        outputs: the JSON files of a run; the first one is scored and drawn.
        mask_folder: the folder below the output folder that takes a PNG of every image, if any.
    """

    classes: tuple[str, ...]
    outputs: tuple[OutputFile, ...]
    mask_folder: str | None = None

    @abstractmethod
    def __call__(self, result: Any, record: ImageRecord) -> Prediction:
        """Raw result of one image -> what is written.

        Raises:
            ValueError: numbers that no file can hold, such as boxes that are not finite.
        """

    @abstractmethod
    def nothing(self, record: ImageRecord, height: int, width: int) -> Prediction:
        """What is written for an image that could not be predicted: nothing was found in it."""

    @abstractmethod
    def arrays(self, result: Any) -> dict[str, np.ndarray]:
        """Raw result of one image as named arrays; see ``Result.arrays``."""

    def identity(self) -> dict[str, Any]:
        """What changes the files beside config and weights; a resumed run must agree on it."""
        return {}

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        """Write what needs all images, after the JSON files are in place."""


class Detector(Protocol):
    """A model that runs before another one, ready: it finds the people of a pose estimator."""

    pipeline: Pipeline
    forward: Forward
    converter: Converter
    classes: tuple[str, ...]
    device: Device


class Task(ABC):
    """One of the zoo's tasks: what it is, and the making of the parts of a run.

    ``options`` of its methods is an object of :attr:`Options`.
    """

    facts: ClassVar[TaskFacts]
    #: Keys of the evaluator's summary to print first.
    headline: ClassVar[tuple[str, ...]]
    #: Whether an image that failed counts as one in which nothing was found; else it is left out.
    scores_failed: ClassVar[bool] = True
    #: A frozen dataclass of what :meth:`add_arguments` asks for.
    Options: ClassVar[type] = NoOptions

    @property
    def name(self) -> str:
        """As folders and options have it."""
        return self.facts.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the published weights, in their order; empty for tagging, where the config decides."""
        return self.facts.classes

    # -- the package that it builds on ------------------------------------------------------------

    @abstractmethod
    def register(self) -> None:
        """Import the OpenMMLab package and register the task's datasets and models with it."""

    @abstractmethod
    def build_network(self, model_cfg: Config) -> nn.Module:
        """The network of ``cfg.model`` by the package's own builder."""

    @abstractmethod
    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        """A dataset for training or validation by the package's own builder."""

    # -- what a run can be asked for --------------------------------------------------------------

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options that only this task has, under the names of the fields of :attr:`Options`."""

    def options_from(self, args: Namespace) -> Any:
        """The options that a command line gives."""
        names = [item.name for item in dataclasses.fields(self.Options)]
        return self.options(**{name: getattr(args, name) for name in names})

    def options(self, **given: Any) -> Any:
        """Options by name.

        Raises:
            UserError: the task has no such option, or they contradict each other.
        """
        names = [item.name for item in dataclasses.fields(self.Options)]
        strange = [name for name in given if name not in names]
        if strange:
            known = f"; it takes {', '.join(names)}" if names else ""
            raise UserError(f"{self.name} has no option {strange[0]!r}{known}")
        return self.Options(**given)

    def settle(self, options: Any, cfg: Config, *, split: Split, images: bool) -> Any:
        """The options with what they leave open decided by what there is to run on.

        ``images``: whether pictures of the user's own are given, which have no annotations.
        """
        return options

    # -- what a model of it is called and needs -----------------------------------------------

    def class_names(self, cfg: Config) -> tuple[str, ...]:
        """The classes that a config names, in the order of the network's outputs.

        Raises:
            UserError: the config is not one of this task.
        """
        named = test_data(cfg).get("classes")
        return tuple(named) if isinstance(named, (list, tuple)) else self.classes

    def told_classes(self, meta: Mapping[str, Any]) -> tuple[str, ...]:
        """The classes that a checkpoint names, in its order; none where it cannot be relied on."""
        said = meta.get("CLASSES")
        if not isinstance(said, (list, tuple)) or not all(isinstance(name, str) for name in said):
            return ()
        return tuple(said)

    def head_classes(self, network: nn.Module) -> int | None:
        """How many classes the network's head tells apart; None where that cannot be told."""
        return None

    def check_classes(self, names: tuple[str, ...], cfg: Config) -> None:
        """Classes of a checkpoint are such as a model of this config can have.

        Raises:
            UserError: they are not.
        """

    def detector(self, options: Any) -> tuple[str, str | None] | None:
        """Config and checkpoint of a model that has to run first (pose), or None."""
        return None

    # -- the parts of a run -------------------------------------------------------------------

    @abstractmethod
    def pipeline(self, cfg: Config, options: Any, detector: Detector | None) -> Pipeline:
        """The config's test pipeline."""

    @abstractmethod
    def forward(
        self, network: nn.Module, cfg: Config, options: Any, detector: Detector | None
    ) -> Forward:
        """The network made ready, once: a batch of the pipeline -> results as numpy."""

    @abstractmethod
    def converter(self, cfg: Config, options: Any, classes: tuple[str, ...]) -> Converter:
        """From raw results to frames, with ``classes`` as the names of the network's classes."""

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
        """The official scores of what a run wrote; ``names`` restricts them to those images.

        ``apart``: in a fresh process, as this one must not fork.
        """
        from bdd100k_models import evaluation

        evaluate = evaluation.evaluate_apart if apart else evaluation.evaluate
        return evaluate(
            self.name,
            evaluation.ground_truth_path(self.name, root, split),
            out_dir / converter.outputs[0].filename,
            names=names,
            nproc=nproc,
        )

    # -- the images of a run --------------------------------------------------------------------

    def records(
        self,
        cfg: Config,
        options: Any = None,
        *,
        split: Split = "val",
        images: str | None = None,
    ) -> list[ImageRecord]:
        """The images of a run, in the order of the output.

        ``images`` (a folder, a picture or a glob pattern) needs no annotation file. Else the
        config's test data: the images of its annotation file, or, where that is not there (the
        test split has none), the pictures of its image folder.

        Raises:
            UserError: no images; or files that an annotation names are missing.
        """
        if images is not None:
            return list(records_of_images(images))
        data = test_data(cfg)
        folder, annotations = self.sources(data)
        if split == "test":
            folder, annotations = test_folder(folder), None
        if annotations is not None and annotations.is_file():
            names = read_names(annotations)
            found = [ImageRecord(i, name, os.fspath(folder / name)) for i, name in enumerate(names)]
            check_present(found, annotations)
            return found
        if folder.is_dir():
            return list(records_of_images(os.fspath(folder)))
        looked = f"{annotations} and {folder}" if annotations is not None else str(folder)
        raise UserError(
            f"no images for {self.name}: looked for {looked}; pass --data-root or set "
            "BDD100K_DATA_ROOT to the folder that holds images/ and labels/, or use --images"
        )

    def complete(
        self, records: Iterable[ImageRecord], cfg: Config, options: Any
    ) -> Iterator[ImageRecord]:
        """Records of pictures with what the pipeline needs beside each, in ``extra``."""
        yield from records

    def sources(self, data: Mapping[str, Any]) -> tuple[Path, Path | None]:
        """Image folder and annotation file that a test dataset config names."""
        folder = data.get("img_prefix") or data.get("data_prefix") or data.get("img_dir") or "."
        annotations = data.get("ann_file")
        for value in (folder, annotations or ""):
            if not isinstance(value, str):
                raise UserError(f"data.test: {value!r} is no path of pictures or annotations")
        return Path(folder), Path(annotations) if annotations else None


def test_data(cfg: Config) -> Mapping[str, Any]:
    """The dataset config to test on, out of whatever wraps it.

    Raises:
        UserError: the config has none.
    """
    data = cfg.get("data")
    data = data.get("test") if isinstance(data, Mapping) else None
    while isinstance(data, Mapping) and "pipeline" not in data and "dataset" in data:
        data = data["dataset"]
    if not isinstance(data, Mapping):
        raise UserError(f"{cfg.filename} has no data.test to take images and pipeline from")
    return data


def test_folder(folder: Path) -> Path:
    """``images/100k/val`` -> ``images/100k/test``."""
    return folder.parent / "test" if folder.name in ("val", "train") else folder


def mask_file(folder: str, name: str) -> str:
    """``bitmasks``, ``a/b.jpg`` -> ``bitmasks/a/b.png``, where the evaluators look for it."""
    return str(PurePosixPath(folder, name).with_suffix(".png"))


def records_of_images(images: str) -> Iterator[ImageRecord]:
    """The pictures of a folder (with its subfolders), of a glob pattern, or one picture.

    A frame is named by the path below the folder given (below the part of a pattern that has no
    wildcard), so that equal base names in different folders stay apart.

    Raises:
        UserError: nothing there, or no picture among what is there.
    """
    root = Path(images).expanduser()
    if not images:
        raise UserError("--images: give a folder, a file or a pattern")
    if root.is_dir():
        paths = [p for p in root.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    elif root.is_file():
        root, paths = root.parent, [root]
    elif glob.has_magic(images):
        # A pattern with two ** finds a file in more than one way.
        paths = [Path(p) for p in set(glob.glob(os.fspath(root), recursive=True))]
        paths = [p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        fixed = [part for part in root.parts]
        wild = next(i for i, part in enumerate(fixed) if glob.has_magic(part))
        root = Path(*fixed[:wild]) if wild else Path(".")
    else:
        raise UserError(f"--images {images}: no such folder, file, or pattern")
    if not paths:
        others = passed_over(images)
        more = f"; {others}" if others else ""
        raise UserError(f"--images {images}: no pictures there ({', '.join(IMAGE_SUFFIXES)}){more}")
    named = sorted((path.relative_to(root).as_posix(), os.fspath(path)) for path in paths)
    for name, path in named:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"--images {images}: the name {os.fsencode(name)!r} is not UTF-8, which JSON "
                "needs; rename it"
            ) from None
    for index, (name, path) in enumerate(named):
        yield ImageRecord(index, name, path)


def passed_over(images: str) -> str | None:
    """What :func:`records_of_images` does not take of a folder, in words; None where it is nothing.

    Hidden files do not count.
    """
    root = Path(images).expanduser()
    kinds: Counter[str] = Counter()
    for path in root.rglob("*") if root.is_dir() else ():
        if path.name.startswith(".") or path.is_dir():
            continue
        if not path.exists():
            kinds["links that lead nowhere"] += 1
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            kinds[path.suffix.lower() or "without an ending"] += 1
    if not kinds:
        return None
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_KINDS))
    listed += ", …" if len(kinds) > _KINDS else ""
    return f"passed over {sum(kinds.values())} files that are no pictures: {listed}"


def check_present(records: Sequence[ImageRecord], annotations: Path) -> None:
    """Every image file is there.

    Raises:
        UserError: how many are missing, and the first of them.
    """
    missing = [record.path for record in records if not os.path.isfile(record.path)]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(records)} images that {annotations} names are missing, "
            f"first {missing[0]}; pass --data-root or set BDD100K_DATA_ROOT"
        )
