"""The file that the EvalAI server of a task takes: checked, then packed.

The servers score the JSON forms; of segmentation tasks the toolkit also takes PNGs, which are
packed the same way. A zip file holds nothing but the predictions, under the names that the toolkit
gives them: ``det.json``, or ``bitmasks/*.png`` with ``score.json``, or ``*.png``; of tracking a
file for each video, ``mot/VIDEO.json``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson

from bdd100k_models.errors import UserError, nearest
from bdd100k_models.evaluation import inputs
from bdd100k_models.evaluation.pixels import check_pixels
from bdd100k_models.evaluation.predictions import RULES, check_predictions, with_progress
from bdd100k_models.files import replacing
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import read_frames
from bdd100k_models.frames.videos import flat, picture_path, read_videos
from bdd100k_models.zoo import tasks
from bdd100k_models.zoo.tasks import TaskFacts

Split = Literal["val", "test"]

#: Width and height of every BDD100K image.
IMAGE_SIZE = (1280, 720)


#: The tasks that a server takes predictions of.
TASKS: tuple[str, ...] = tuple(RULES)


@dataclass
class Submission:
    """Predictions that passed the checks.

    Attributes:
        task: the task.
        members: name in the zip file -> file, or its content.
        images: number of images with a prediction or an empty frame.
        labels: number of labels, 0 for PNGs.
        notes: what is worth knowing and no mistake, a line each.
    """

    task: str
    members: Mapping[str, Path | bytes]
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
    if task not in TASKS:
        raise UserError(f"no task {task!r}; {nearest(task, TASKS)}")
    facts = tasks.facts(task)
    source = Path(predictions).expanduser()
    if source.is_dir() and (source / facts.output).is_file():
        source = source / facts.output
    if facts.videos:
        return _check_videos(facts, source, split, images)
    if source.is_dir():
        submission = _check_pngs(facts, source, _optional_path(score_file))
        names = [Path(name).stem for name in submission.members if name.endswith(".png")]
    else:
        submission, names = _check_json(task, source)
    if images is not None:
        _check_images(names, Path(images).expanduser())
    expected = tasks.IMAGE_SET_SIZES[facts.image_set][split]
    if submission.images != expected:
        submission.notes.append(
            f"{submission.images} images; {split} of {facts.image_set} has {expected}, and an "
            "image without a frame counts as one without predictions"
        )
    return submission


def pack(submission: Submission, target: str | Path) -> Path:
    """Write the zip file; equal predictions give equal bytes. Returns its path.

    Raises:
        UserError: it cannot be written.
    """
    with replacing(target) as part, zipfile.ZipFile(part, "w") as archive:
        for name, file in sorted(submission.members.items()):
            _add(archive, name, file)
    return Path(target)


def _add(archive: zipfile.ZipFile, name: str, file: Path | bytes) -> None:
    # The default date of ZipInfo is fixed, so that equal predictions give equal files.
    info = zipfile.ZipInfo(name)
    # PNGs are compressed already.
    info.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    if isinstance(file, bytes):
        archive.writestr(info, file)
        return
    with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _optional_path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).expanduser()


# -- JSON -----------------------------------------------------------------------------------------


def _check_json(task: str, file: Path) -> tuple[Submission, list[str]]:
    frames = read_frames(file, "predictions")
    _check_names(frame["name"] for frame in frames)
    width, height = IMAGE_SIZE
    notes = check_predictions(task, frames, size=(height, width))
    for frame in with_progress(frames, "frames"):
        _check_loads(frame)
    labels = sum(len(frame.get("labels") or ()) for frame in frames)
    submission = Submission(task, {f"{task}.json": file}, len(frames), labels, notes)
    return submission, [Path(frame["name"]).stem for frame in frames]


def _check_videos(
    facts: TaskFacts, source: Path, split: Split, images: str | Path | None
) -> Submission:
    """Tracks: a file of all videos, or a folder with a file for each; one for each is packed."""
    videos = read_videos(source, "predictions")
    frames = flat(videos)
    _check_names(frame["name"] for frame in frames)
    width, height = IMAGE_SIZE
    notes = check_predictions(facts.name, frames, size=(height, width))
    for frame in with_progress(frames, "frames"):
        _check_loads(frame)
    if images is not None:
        _check_video_images(videos, Path(images).expanduser())
    expected = tasks.VIDEO_SET_SIZES[facts.image_set][split]
    if len(videos) != expected:
        notes.append(
            f"{len(videos)} videos; {split} of {facts.image_set} has {expected}, and one without "
            "a file counts as one without predictions"
        )
    members = {
        f"{facts.name}/{video}.json": orjson.dumps(own, option=orjson.OPT_APPEND_NEWLINE)
        for video, own in videos.items()
    }
    labels = sum(len(frame.get("labels") or ()) for frame in frames)
    return Submission(facts.name, members, len(frames), labels, notes)


def _check_video_images(videos: Mapping[str, Sequence[Frame]], folder: Path) -> None:
    """Every frame of the folder of videos has its prediction, and no other."""
    if not folder.is_dir():
        raise UserError(f"no folder of videos at {folder}")
    present = {f"{file.parent.name}/{file.stem}" for file in folder.glob("*/*.jpg")}
    if not present:
        raise UserError(f"no videos in {folder}: it needs a folder of .jpg frames for each")
    _compare([str(Path(picture_path(f)).with_suffix("")) for f in flat(videos)], present, folder)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if "/" in name or "\\" in name:
            raise UserError(
                f"predictions: {name!r} is not a base name; the server matches images by base name"
            )
        if not name.endswith(".jpg"):
            raise UserError(f"predictions: {name!r} is not the name of a BDD100K image (….jpg)")


def _check_loads(frame: Frame) -> None:
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


# -- PNGs -----------------------------------------------------------------------------------------


def _check_pngs(facts: TaskFacts, folder: Path, score_file: Path | None) -> Submission:
    task = facts.name
    if not facts.png_channels:
        raise UserError(f"no {facts.output} in {folder}; give the JSON file of {task}")
    files = inputs.list_pngs(folder, "predictions")
    inputs.check_pngs((), files, facts.png_channels)
    prefix = "bitmasks/" if task == "ins_seg" else ""
    members = {f"{prefix}{file.name}": file for file in files}
    if task == "ins_seg":
        scores = score_file or folder.parent / "score.json"
        inputs.check_instance_scores(scores, files)
        members["score.json"] = scores
    check_pixels(task, files, IMAGE_SIZE, may_be_blank=task == "ins_seg")
    return Submission(task, members, len(files))


# -- images ---------------------------------------------------------------------------------------


def _check_images(names: Sequence[str], folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"no folder of images at {folder}")
    present = {file.stem for file in folder.glob("*.jpg")}
    if not present:
        raise UserError(f"no .jpg images in {folder}")
    _compare(names, present, folder)


def _compare(names: Sequence[str], present: set[str], folder: Path) -> None:
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
