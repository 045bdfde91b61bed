"""What a task has to say, and everything about running one that does not differ between tasks.

The path of one image: :class:`ImageRecord` → ``sample`` (the config's test pipeline, in a loader
worker) → ``collate`` → ``predict`` (the model) → ``convert`` (arrays to Scalabel frames) →
:class:`Prediction`, which the engine writes down.
"""

from __future__ import annotations

import glob
import os
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.evaluation import Scores

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

Split = Literal["val", "test"]


@dataclass(frozen=True)
class ImageRecord:
    """One image to predict.

    Attributes:
        index: place in the dataset, from 0; outputs come in this order.
        name: ``name`` of its frame: as the annotation file says, or the path below the folder
            that was given.
        path: the image file.
        extra: what the task's pipeline needs beside the picture (pose: the boxes of people).
    """

    index: int
    name: str
    path: str
    extra: Any = None


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


@dataclass(frozen=True)
class Helper:
    """Another model that runs before the task's own; see :meth:`Task.helper`."""

    task: Task
    cfg: Config
    checkpoint: Path


@dataclass
class Prediction:
    """What one image gave.

    Attributes:
        entries: JSON-able entry by key of :class:`OutputFile`; frames without label ids.
        frame: the frame to draw, one of the entries as a rule.
        pictures: PNG files to write, path below the output folder -> (H, W[, 4]) uint8.
    """

    entries: dict[str, Any]
    frame: dict[str, Any]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


class Task(ABC):
    """One of the zoo's tasks. Subclasses say what differs and keep what was asked of the run."""

    name: ClassVar[str]
    title: ClassVar[str]
    classes: tuple[str, ...]
    #: Which picture set of BDD100K it is defined on.
    image_set: ClassVar[Literal["100k", "10k"]]
    #: Keys of the evaluator's summary to print first.
    headline: ClassVar[tuple[str, ...]]

    # -- what a task must say ---------------------------------------------------------------

    @abstractmethod
    def register(self) -> None:
        """Import the OpenMMLab package and register the task's datasets and models with it."""

    @abstractmethod
    def build_network(self, model_cfg: Config) -> nn.Module:
        """The network of ``cfg.model`` by the package's own builder."""

    @abstractmethod
    def build_dataset(self, data_cfg: Any, default_args: dict[str, Any] | None = None) -> Any:
        """A dataset for training or validation by the package's own builder."""

    @abstractmethod
    def pipeline(self, cfg: Config) -> Callable[[ImageRecord], Any]:
        """The config's test pipeline as a function from a record to a sample."""

    @abstractmethod
    def predict(self, model: nn.Module, batch: dict[str, Any]) -> list[Any]:
        """Raw results of the images of one batch, on the CPU as numpy."""

    @abstractmethod
    def convert(self, result: Any, record: ImageRecord) -> Prediction:
        """Raw result of one image -> what is written."""

    @abstractmethod
    def outputs(self) -> tuple[OutputFile, ...]:
        """The JSON files of a run."""

    # -- what a task may say otherwise --------------------------------------------------------

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options that only this task has."""

    def bind(self, cfg: Config) -> None:
        """Take from a config what decides how its results are read (tagging: the attribute).

        Raises:
            UserError: the config is not one of this task.
        """

    def configure(self, args: Namespace, cfg: Config) -> None:
        """Take the options of :meth:`add_arguments`; may change ``cfg``.

        Raises:
            UserError: an option that does not fit.
        """

    def adapt(self, model: nn.Module) -> None:
        """Change a loaded model before it runs (classes from a checkpoint, cheaper masks)."""

    def helper(self) -> Helper | None:
        """A model that has to run first (pose: the detector), for the engine to build."""
        return None

    def take_helper(self, model: nn.Module) -> None:
        """The model of :meth:`helper`, ready to run."""

    def finish(self, records: Sequence[ImageRecord], out_dir: Path) -> None:
        """Write what needs all images, after the JSON files are in place."""

    def run_options(self) -> dict[str, Any]:
        """The task's options that change what is written; a resumed run must agree on them."""
        return {}

    def mask_folder(self) -> str | None:
        """The folder below the output folder that takes a PNG of every image, if one does."""
        return None

    def evaluate(
        self,
        out_dir: Path,
        root: Path,
        split: Split,
        names: Sequence[str] | None,
        nproc: int,
    ) -> Scores:
        """The official scores of what a run wrote; ``names`` restricts them to those images."""
        from bdd100k_models import evaluation

        return evaluation.evaluate(
            self.name,
            evaluation.ground_truth_path(self.name, root, split),
            out_dir / self.outputs()[0].filename,
            names=names,
            nproc=nproc,
        )

    # -- the images of a run --------------------------------------------------------------------

    def records(
        self, cfg: Config, *, split: Split = "val", images: str | None = None
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
            names = self.annotated_names(annotations)
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

    def sources(self, data: Mapping[str, Any]) -> tuple[Path, Path | None]:
        """Image folder and annotation file that a test dataset config names."""
        folder = data.get("img_prefix") or data.get("data_prefix") or data.get("img_dir") or "."
        annotations = data.get("ann_file")
        return Path(folder), Path(annotations) if annotations else None

    def annotated_names(self, annotations: Path) -> list[str]:
        """Names of the images of an annotation file, COCO or Scalabel, in its order.

        Raises:
            UserError: not JSON, or neither form.
        """
        content = read_json(annotations)
        if isinstance(content, dict) and "images" in content:
            return [image["file_name"] for image in content["images"]]
        frames = content.get("frames") if isinstance(content, dict) else content
        if isinstance(frames, list) and all("name" in frame for frame in frames):
            return [frame["name"] for frame in frames]
        raise UserError(
            f"{annotations} is neither COCO nor Scalabel JSON; run tools/prepare_data.py"
        )


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
        raise UserError(f"--images {images}: no pictures there ({', '.join(IMAGE_SUFFIXES)})")
    named = sorted((path.relative_to(root).as_posix(), os.fspath(path)) for path in paths)
    for index, (name, path) in enumerate(named):
        yield ImageRecord(index, name, path)


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
