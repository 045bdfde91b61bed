"""The mini dataset on disk, in the layout of BDD100K."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bdd100k.label.label import drivables, labels
from numpy.typing import NDArray

from bdd100k_models.data.mini.labels import PictureLabels, label, label_tracks
from bdd100k_models.data.mini.rendering import render
from bdd100k_models.data.mini.scene import SCENES, WEATHERS, Scene, describe
from bdd100k_models.data.mini.video import Video, describe_video
from bdd100k_models.errors import UserError

#: Written last, with the options that the dataset was made with.
MARKER = "mini_bdd100k.json"
JPEG_QUALITY = 90

#: First number of every seed of a split: no seed of one split can be one of another.
_SPLIT_SEED = {"train": 0, "val": 1, "test": 2}
#: The same for videos.
_VIDEO_SEED = {"train": 10, "val": 11, "test": 12}
#: Where the frames of each task go, by split.
_LABEL_FILES = {
    "det_20": "labels/det_20/det_{split}.json",
    "pose_21": "labels/pose_21/pose_{split}.json",
    "ins_seg": "labels/ins_seg/rles/ins_seg_{split}.json",
    "sem_seg": "labels/sem_seg/rles/sem_seg_{split}.json",
    "drivable": "labels/drivable/rles/drivable_{split}.json",
    "pan_seg": "labels/pan_seg/rles/pan_seg_{split}.json",
}


#: Picture sets of videos; both hold the same.
_VIDEO_SETS = ("track", "seg_track_20")
_BOX_TRACKS = "labels/box_track_20"
_MASK_TRACKS = "labels/seg_track_20/rles"
_TRACK_BITMASKS = "labels/seg_track_20/bitmasks"


@dataclass(frozen=True)
class MiniOptions:
    """How many pictures and videos each split has, and the seed that they come from.

    ``frames`` is the length of every video.
    """

    train: int = 240
    val: int = 60
    test: int = 8
    seed: int = 0
    train_videos: int = 0
    val_videos: int = 0
    test_videos: int = 0
    frames: int = 20

    @property
    def pictures(self) -> dict[str, int]:
        """Number of pictures by split."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def videos(self) -> dict[str, int]:
        """Number of videos by split."""
        return {"train": self.train_videos, "val": self.val_videos, "test": self.test_videos}


@dataclass(frozen=True)
class _Job:
    """One picture to make; or a video of ``frames`` pictures, where that is not 0."""

    out: str
    split: str
    index: int
    seed: int
    frames: int = 0


def build(
    out: Path,
    options: MiniOptions,
    workers: int = 1,
    progress: Callable[[], None] | None = None,
) -> None:
    """Write the mini dataset.

    The same options give the same bytes, whatever the number of workers. A mini dataset that stands
    at ``out`` is replaced.

    Args:
        out: folder that will hold ``images`` and ``labels``.
        options: sizes of the splits and the seed.
        workers: processes that render.
        progress: called after each finished picture, and each finished video.

    Raises:
        UserError: ``out`` holds something other than a mini dataset, or a number makes no sense.
    """
    _check(out, options, workers)
    _clear(out)
    jobs = [
        _Job(str(out), split, index, options.seed)
        for split, count in options.pictures.items()
        for index in range(count)
    ]
    jobs += [
        _Job(str(out), split, index, options.seed, options.frames)
        for split, count in options.videos.items()
        for index in range(count)
    ]
    _make_folders(out)
    if any(options.videos.values()):
        _make_video_folders(out)
    frames: dict[tuple[str, str], list[dict[str, Any]]] = {
        (task, split): [] for task in _LABEL_FILES for split in ("train", "val")
    }
    for job, made in zip(jobs, _run(jobs, workers), strict=True):
        for task, frame in made.items():
            frames[task, job.split].append(frame)
        if progress is not None:
            progress()
    for (task, split), found in frames.items():
        _write_frames(out / _LABEL_FILES[task].format(split=split), task, found)
    (out / MARKER).write_text(json.dumps(asdict(options)) + "\n", encoding="utf-8")


def scene_of(split: str, index: int, seed: int) -> Scene:
    """The scene of a picture.

    Every six pictures show each kind of scene and each weather once, every 36 each pair.
    """
    weather = WEATHERS[index % len(WEATHERS)]
    scene = SCENES[(index // len(WEATHERS) + index) % len(SCENES)]
    return describe((_SPLIT_SEED[split], seed, index), weather, scene)


def video_of(split: str, index: int, seed: int, frames: int) -> Video:
    """The video of a number; scenes and weathers alternate as those of pictures do."""
    weather = WEATHERS[index % len(WEATHERS)]
    scene = SCENES[(index // len(WEATHERS) + index) % len(SCENES)]
    return describe_video((_VIDEO_SEED[split], seed, index), weather, scene, frames)


def video_name(split: str, index: int) -> str:
    """Name of a video: of its folder, and the beginning of the names of its frames."""
    return f"{split}{index:04d}"


def frame_name(video: str, frame: int) -> str:
    """File name of a frame, which counts from 0; BDD100K's names count from 1."""
    return f"{video}-{frame + 1:07d}.jpg"


def picture_name(split: str, index: int) -> str:
    """File name of a picture."""
    return f"{split}{index:05d}.jpg"


def _check(out: Path, options: MiniOptions, workers: int) -> None:
    if min(options.train, options.val, options.test, options.seed) < 0:
        raise UserError(
            "sizes of splits and the seed must not be negative: got "
            f"train {options.train}, val {options.val}, test {options.test}, seed {options.seed}"
        )
    if min(options.videos.values()) < 0 or options.frames < 1:
        raise UserError(
            f"numbers of videos must not be negative, and videos have frames: got {options.videos} "
            f"of {options.frames} frames"
        )
    if workers < 1:
        raise UserError(f"--workers must be 1 or more, got {workers}")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; choose a folder for the mini dataset")
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise UserError(
            f"{out} is not empty and was not made by this tool (no {MARKER}); choose another folder"
        )


def _clear(out: Path) -> None:
    """Remove an older mini dataset, and what was prepared from it."""
    for name in ("images", "labels", "jsons"):
        folder = out / name
        if folder.is_symlink():
            folder.unlink()
        elif folder.is_dir():
            shutil.rmtree(folder)
    # Until the end the folder must be known as ours, or an interrupted run could not be repeated.
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).write_text("{}\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; choose another --out") from error


def _make_folders(out: Path) -> None:
    for pictures in ("100k", "10k"):
        for split in ("train", "val", "test"):
            (out / "images" / pictures / split).mkdir(parents=True)
    for split in ("train", "val"):
        for masks in (
            "ins_seg/bitmasks",
            "pan_seg/bitmasks",
            "sem_seg/masks",
            "sem_seg/colormaps",
            "drivable/masks",
            "drivable/colormaps",
        ):
            (out / "labels" / masks / split).mkdir(parents=True)
    for path in _LABEL_FILES.values():
        (out / path).parent.mkdir(parents=True, exist_ok=True)


def _make_video_folders(out: Path) -> None:
    for kind in _VIDEO_SETS:
        for split in ("train", "val", "test"):
            (out / "images" / kind / split).mkdir(parents=True)
    for split in ("train", "val"):
        for labels_folder in (_BOX_TRACKS, _MASK_TRACKS, _TRACK_BITMASKS):
            (out / labels_folder / split).mkdir(parents=True)


def _run(jobs: list[_Job], workers: int) -> Iterator[dict[str, dict[str, Any]]]:
    """Do all jobs and give their frames in order."""
    if workers == 1 or len(jobs) < 2:
        yield from map(_make, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(
        min(workers, len(jobs)), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.imap(_make, jobs, chunksize=4)


def _make(job: _Job) -> dict[str, dict[str, Any]]:
    """Render one picture, write its files and give its frames by task; or render a video."""
    if job.frames:
        _make_video(job)
        return {}
    out = Path(job.out)
    name = picture_name(job.split, job.index)
    rendering = render(scene_of(job.split, job.index, job.seed))
    picture = out / "images" / "100k" / job.split / name
    _write_image(picture, rendering.rgb, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    _link(picture, out / "images" / "10k" / job.split / name)
    if job.split == "test":
        return {}
    made = label(rendering, name)
    _write_masks(out / "labels", job.split, name.replace(".jpg", ".png"), made)
    return made.frames


def _make_video(job: _Job) -> None:
    """Render a video and write all of its files."""
    out = Path(job.out)
    name = video_name(job.split, job.index)
    video = video_of(job.split, job.index, job.seed, job.frames)
    folders = [out / "images" / kind / job.split / name for kind in _VIDEO_SETS]
    bitmasks = out / _TRACK_BITMASKS / job.split / name
    for folder in (*folders, *((bitmasks,) if job.split != "test" else ())):
        folder.mkdir()
    boxes, masks = [], []
    for frame in range(job.frames):
        scene, identities = video.at(frame)
        rendering = render(scene, frame)
        picture = folders[0] / frame_name(name, frame)
        _write_image(picture, rendering.rgb, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        for folder in folders[1:]:
            _link(picture, folder / picture.name)
        if job.split == "test":
            continue
        made = label_tracks(rendering, identities, name, frame, picture.name)
        boxes.append(made.boxes)
        masks.append(made.masks)
        mask = bitmasks / picture.with_suffix(".png").name
        _write_image(mask, made.bitmask, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if job.split != "test":
        for folder, frames in ((_BOX_TRACKS, boxes), (_MASK_TRACKS, masks)):
            path = out / folder / job.split / f"{name}.json"
            path.write_text(json.dumps(frames), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _colour_table(definitions: list[Any]) -> NDArray[np.uint8]:
    """(256, 3) uint8: the toolkit's colour of each train id; black for the others."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for definition in definitions:
        if definition.trainId < 255:
            table[definition.trainId] = definition.color
    return table


def _write_masks(folder: Path, split: str, name: str, made: PictureLabels) -> None:
    images = {
        "ins_seg/bitmasks": made.ins_seg,
        "pan_seg/bitmasks": made.pan_seg,
        "sem_seg/masks": made.sem_seg,
        "drivable/masks": made.drivable,
        "sem_seg/colormaps": _colour_table(labels)[made.sem_seg],
        "drivable/colormaps": _colour_table(drivables)[made.drivable],
    }
    for kind, image in images.items():
        _write_image(folder / kind / split / name, image, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def _write_image(path: Path, image: NDArray[np.uint8], options: list[int]) -> None:
    """Write a grey, RGB or RGBA picture."""
    if image.ndim == 3:
        order = [2, 1, 0] if image.shape[2] == 3 else [2, 1, 0, 3]
        image = np.ascontiguousarray(image[..., order])
    if not cv2.imwrite(str(path), image, options):
        raise UserError(f"cannot write {path}; is the disk full, or the folder read-only?")


def _write_frames(path: Path, task: str, frames: list[dict[str, Any]]) -> None:
    """Write a label file, with ids that count over the file."""
    if task == "pose_21":
        frames = [frame for frame in frames if frame["labels"]]
    number = 0
    for frame in frames:
        for index, entry in enumerate(frame["labels"]):
            frame["labels"][index] = {"id": str(number), **entry}
            number += 1
    content: Any = frames if task in ("det_20", "pose_21") else {"frames": frames}
    path.write_text(json.dumps(content), encoding="utf-8")
