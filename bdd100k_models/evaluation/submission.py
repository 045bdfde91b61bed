"""The file that the EvalAI server of a task takes: checked, then packed.

The servers score the JSON forms; of segmentation tasks the toolkit also takes PNGs, which are
packed the same way. A zip file holds nothing but the predictions, under the names that the toolkit
gives them: ``det.json``, or ``bitmasks/*.png`` with ``score.json``, or ``*.png``.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import inputs
from bdd100k_models.evaluation.inputs import RawFrame
from bdd100k_models.evaluation.tagging import TAGS
from bdd100k_models.frames import rle
from bdd100k_models.zoo import classes

Split = Literal["val", "test"]
Item = TypeVar("Item")

#: Width and height of every BDD100K image.
IMAGE_SIZE = (1280, 720)


@dataclass(frozen=True)
class Rules:
    """What the server of a task expects.

    Attributes:
        image_set: the picture set that the task is defined on.
        filename: the JSON file that this zoo writes for the task.
        categories: of the labels; for tagging there are no labels.
        geometry: what every label must have.
        scored: every label must have a score.
        disjoint: masks of one image must not overlap.
        counted: labels of one image (of each class, for boxes) that the evaluator counts.
        png_channels: of the PNG form; 0 where there is none.
    """

    image_set: Literal["100k", "10k"]
    filename: str
    categories: tuple[str, ...] = ()
    geometry: Literal["box2d", "rle", "graph"] | None = None
    scored: bool = False
    disjoint: bool = False
    counted: int | None = None
    png_channels: int = 0


TASKS: dict[str, Rules] = {
    "tagging": Rules("100k", "tagging.json"),
    "det": Rules("100k", "det.json", classes.DET, "box2d", scored=True, counted=100),
    "ins_seg": Rules(
        "10k",
        "ins_seg.json",
        classes.INS_SEG,
        "rle",
        scored=True,
        disjoint=True,
        counted=100,
        png_channels=4,
    ),
    "sem_seg": Rules("10k", "sem_seg.json", classes.SEM_SEG, "rle", png_channels=1),
    "drivable": Rules("100k", "drivable.json", classes.DRIVABLE, "rle", png_channels=1),
    "pan_seg": Rules("10k", "pan_seg.json", classes.PAN_SEG, "rle", disjoint=True, png_channels=4),
    "pose": Rules(
        "100k",
        "result_keypoints.json",
        (classes.POSE_CATEGORY,),
        "graph",
        scored=True,
        counted=20,
    ),
}

#: Images by picture set and split.
SPLIT_SIZES: dict[tuple[str, str], int] = {
    ("100k", "val"): 10_000,
    ("100k", "test"): 20_000,
    ("10k", "val"): 1_000,
    ("10k", "test"): 2_000,
}


@dataclass
class Submission:
    """Predictions that passed the checks.

    Attributes:
        task: the task.
        members: name in the zip file -> file.
        images: number of images with a prediction or an empty frame.
        labels: number of labels, 0 for PNGs.
        notes: what is worth knowing and no mistake, a line each.
    """

    task: str
    members: dict[str, Path]
    images: int
    labels: int = 0
    notes: list[str] = field(default_factory=list)


def check(
    task: str,
    predictions: str | Path,
    split: Split = "test",
    images: str | Path | None = None,
    score_file: str | Path | None = None,
) -> Submission:
    """Check predictions as the server would read them.

    Args:
        task: one of `TASKS`.
        predictions: a Scalabel JSON file, an output folder of ``test.py`` that has the task's JSON
            file, or a folder of PNGs.
        split: which images they should be for.
        images: the folder of those images: then there must be a prediction for each, and no other.
        score_file: ``score.json`` of instance bitmasks; beside the folder by default.

    Raises:
        UserError: the first mistake that would cost points or make the server fail.
    """
    rules = _rules(task)
    source = Path(predictions).expanduser()
    if source.is_dir() and (source / rules.filename).is_file():
        source = source / rules.filename
    if source.is_dir():
        submission = _check_pngs(task, rules, source, _optional_path(score_file))
        names = [Path(name).stem for name in submission.members if name.endswith(".png")]
    else:
        submission, names = _check_json(task, rules, source)
    if images is not None:
        _check_images(names, Path(images).expanduser())
    expected = SPLIT_SIZES[rules.image_set, split]
    if submission.images != expected:
        submission.notes.append(
            f"{submission.images} images; {split} of {rules.image_set} has {expected}, and an "
            "image without a frame counts as one without predictions"
        )
    return submission


def pack(submission: Submission, target: str | Path) -> Path:
    """Write the zip file; equal predictions give equal bytes. Returns its path.

    Raises:
        UserError: it cannot be written.
    """
    path = Path(target)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w") as archive:
            for name, file in sorted(submission.members.items()):
                _add(archive, name, file)
        os.replace(part, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; choose another place"
        ) from error
    finally:
        # Where the folder could not be made, neither can this be looked for.
        with contextlib.suppress(OSError):
            part.unlink()
    return path


def _add(archive: zipfile.ZipFile, name: str, file: Path) -> None:
    # The default date of ZipInfo is fixed, so that equal predictions give equal files.
    info = zipfile.ZipInfo(name)
    # PNGs are compressed already.
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _rules(task: str) -> Rules:
    if task not in TASKS:
        raise UserError(f"no task {task!r}; one of {', '.join(TASKS)}")
    return TASKS[task]


def _optional_path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()


def _with_progress(items: Sequence[Item], what: str) -> Iterable[Item]:
    """A bar on a terminal, nothing elsewhere."""
    from tqdm import tqdm

    return tqdm(items, desc=f"checking {what}", disable=None, leave=False)


# -- JSON -----------------------------------------------------------------------------------------


def _check_json(task: str, rules: Rules, file: Path) -> tuple[Submission, list[str]]:
    frames = inputs.read_frames(file, "predictions")
    _check_names(frame["name"] for frame in frames)
    for frame in _with_progress(frames, "frames"):
        _check_loads(frame)
    notes: list[str] = []
    if task == "tagging":
        _check_tags(frames)
    else:
        inputs.require_categories(frames, rules.categories, "predictions", task)
        _check_labels(frames, rules, notes)
    if task == "pose":
        inputs.require_poses(frames, len(classes.POSE_KEYPOINTS), "predictions")
    if task == "pan_seg":
        inputs.require_whole_ids(frames)
    if rules.geometry == "rle":
        _check_masks(frames, rules.disjoint)
    labels = sum(len(frame.get("labels") or ()) for frame in frames)
    submission = Submission(task, {f"{task}.json": file}, len(frames), labels, notes)
    return submission, [Path(frame["name"]).stem for frame in frames]


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if "/" in name or "\\" in name:
            raise UserError(
                f"predictions: {name!r} is not a base name; the server matches images by base name"
            )
        if not name.endswith(".jpg"):
            raise UserError(f"predictions: {name!r} is not the name of a BDD100K image (….jpg)")


def _check_loads(frame: RawFrame) -> None:
    from pydantic import ValidationError
    from scalabel.label.io import parse

    try:
        parse(frame)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise UserError(
            f"predictions: scalabel cannot load {frame['name']!r}: {place}: {problem['msg']}"
        ) from error


def _check_labels(frames: Sequence[RawFrame], rules: Rules, notes: list[str]) -> None:
    crowded = 0
    for frame in frames:
        labels = frame.get("labels") or []
        for label in labels:
            if label.get(rules.geometry) is None:
                raise UserError(
                    f"predictions: a label of {frame['name']!r} has no {rules.geometry}"
                )
            if rules.scored and not isinstance(label.get("score"), (int, float)):
                raise UserError(f"predictions: a label of {frame['name']!r} has no score")
        most = max(Counter(label["category"] for label in labels).values(), default=0)
        crowded += rules.counted is not None and most > rules.counted
    if crowded:
        notes.append(
            f"{crowded} images have more than {rules.counted} labels of one category; the "
            f"evaluator counts the best {rules.counted}"
        )


def _check_masks(frames: Sequence[RawFrame], disjoint: bool) -> None:
    width, height = IMAGE_SIZE
    for frame in _with_progress(frames, "masks"):
        masks: list[rle.RLE] = [label["rle"] for label in frame.get("labels") or ()]
        for mask in masks:
            if tuple(mask["size"]) != (height, width):
                raise UserError(
                    f"predictions: a mask of {frame['name']!r} has size {mask['size']}, BDD100K "
                    f"images have [{height}, {width}]"
                )
        try:
            # Reads every string, so that one that is broken is found in any task.
            overlapping = rle.overlap(masks)
        except ValueError as error:
            raise UserError(f"predictions: a mask of {frame['name']!r}: {error}") from error
        if disjoint and overlapping:
            raise UserError(
                f"predictions: masks of {frame['name']!r} overlap; the evaluator drops every label "
                "of such an image, so write what stays visible"
            )


def _check_tags(frames: Sequence[RawFrame]) -> None:
    present = [
        tag for tag in TAGS if any(tag in (frame.get("attributes") or {}) for frame in frames)
    ]
    if not present:
        raise UserError(f"predictions: no frame has an attribute {' or '.join(TAGS)}")
    for frame in frames:
        for tag in present:
            value = (frame.get("attributes") or {}).get(tag)
            if value not in TAGS[tag]:
                raise UserError(
                    f"predictions: {frame['name']!r} has {tag} {value!r}; "
                    f"one of {', '.join(TAGS[tag])}"
                )


# -- PNGs -----------------------------------------------------------------------------------------


def _check_pngs(task: str, rules: Rules, folder: Path, score_file: Path | None) -> Submission:
    if not rules.png_channels:
        raise UserError(f"no {rules.filename} in {folder}; give the JSON file of {task}")
    files = inputs.list_pngs(folder, "predictions")
    inputs.check_pngs((), files, rules.png_channels)
    prefix = "bitmasks/" if task == "ins_seg" else ""
    members = {f"{prefix}{file.name}": file for file in files}
    check_pixels: Callable[[Any], str | None] = _mask_problem(rules)
    if task == "ins_seg":
        scores = score_file or folder.parent / "score.json"
        inputs.check_instance_scores(scores, files)
        members["score.json"] = scores
    if rules.png_channels == 4:
        check_pixels = _bitmask_problem(rules, may_be_blank=task == "ins_seg")
    for file, pixels in _pixels(files):
        problem = check_pixels(pixels)
        if problem is not None:
            raise UserError(f"{file}: {problem}")
    return Submission(task, members, len(files))


def _pixels(files: Sequence[Path]) -> Iterator[tuple[Path, np.ndarray]]:
    from PIL import Image

    for file in _with_progress(files, "PNGs"):
        try:
            with Image.open(file) as image:
                size, pixels = image.size, np.asarray(image)
        except OSError as error:
            raise UserError(f"{file} cannot be read as a PNG; write it again") from error
        if size != IMAGE_SIZE:
            raise UserError(
                f"{file} has {size[0]}x{size[1]} pixels, BDD100K images have "
                f"{IMAGE_SIZE[0]}x{IMAGE_SIZE[1]}"
            )
        yield file, pixels


def _mask_problem(rules: Rules) -> Callable[[np.ndarray], str | None]:
    count = len(rules.categories)

    def problem(mask: np.ndarray) -> str | None:
        values = np.flatnonzero(np.bincount(mask.reshape(-1), minlength=256))
        unknown = [value for value in values.tolist() if value >= count and value != 255]
        if unknown:
            return f"value {unknown[0]}; a mask holds class indices below {count}, and 255 for none"
        return None

    return problem


def _bitmask_problem(rules: Rules, may_be_blank: bool) -> Callable[[np.ndarray], str | None]:
    count = len(rules.categories)

    def problem(bitmask: np.ndarray) -> str | None:
        colours = np.unique(np.ascontiguousarray(bitmask).view(np.uint32))
        channels = colours.view(np.uint8).reshape(-1, 4).astype(int)
        segments = channels[:, 2] * 256 + channels[:, 3]
        channels, segments = channels[segments > 0], segments[segments > 0]
        if not len(segments) and not may_be_blank:
            return "no segment at all, which the evaluator fails on; submit the JSON file"
        if len(np.unique(segments)) != len(segments):
            return "a segment id with two categories or attributes; ids are unique in an image"
        for category_id in channels[:, 0].tolist():
            if not 1 <= category_id <= count:
                return f"category id {category_id}; one of 1 to {count}"
        return None

    return problem


# -- images ---------------------------------------------------------------------------------------


def _check_images(names: Sequence[str], folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"no folder of images at {folder}")
    present = {file.stem for file in folder.glob("*.jpg")}
    if not present:
        raise UserError(f"no .jpg images in {folder}")
    unknown = [name for name in names if name not in present]
    if unknown:
        raise UserError(
            f"{len(unknown)} of {len(names)} predicted images are not in {folder}, the first is "
            f"{unknown[0]}.jpg; is this the right split?"
        )
    missing = sorted(present.difference(names))
    if missing:
        raise UserError(
            f"{len(missing)} of {len(present)} images in {folder} have no prediction, the first is "
            f"{missing[0]}.jpg; an image without detections still has its frame"
        )
