"""Videos as the images of a run: folders of frames, video files, annotation files."""

from __future__ import annotations

import glob
import itertools
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames.videos import read_videos
from bdd100k_models.tasks.base import IMAGE_SUFFIXES, ImageRecord, VideoPlace

#: Of BDD100K's videos, frames a second.
FRAME_RATE = 5.0

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")


class VideoFile:
    """The frames of a video file, read one after the other.

    Picklable; each process opens the file for itself. Threads may share it. Going back means
    reading again from the beginning, so read forward.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._capture: Any = None
        self._next = 0

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self._open()

    @property
    def frame_rate(self) -> float:
        """Frames a second, as the file says; 0 where it does not.

        Raises:
            UserError: it cannot be opened.
        """
        capture = self._opened()
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        capture.release()
        return rate if np.isfinite(rate) and 0 < rate < 1000 else 0.0

    def count(self) -> int:
        """How many frames there are, by going through them all: what headers say is often wrong.

        Raises:
            UserError: it cannot be opened, or has no frame that can be read.
        """
        capture = self._opened()
        frames = 0
        while capture.grab():
            frames += 1
        capture.release()
        if not frames:
            raise UserError(f"{self.path} has no frame that can be read; is it a whole video?")
        return frames

    def read(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, a frame by its number from 0.

        Raises:
            UserError: the file has no such frame, or it is damaged there.
        """
        with self._lock:
            if self._capture is None or index < self._next:
                if self._capture is not None:
                    self._capture.release()
                self._capture, self._next = self._opened(), 0
            while self._next <= index:
                self._next += 1
                if not self._capture.grab():
                    raise UserError(f"{self.path} ends before frame {index}")
            decoded, frame = self._capture.retrieve()
            if not decoded or frame is None:
                raise UserError(f"frame {index} of {self.path} cannot be read")
            return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _opened(self) -> Any:
        capture = cv2.VideoCapture(self.path)
        if not capture.isOpened():
            raise UserError(f"{self.path} cannot be opened as a video; is it damaged?")
        return capture


@dataclass(frozen=True)
class FrameOfFile:
    """A frame of a video file, where a record has a picture file else."""

    file: VideoFile = field(repr=False)
    index: int

    def read(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB; see :meth:`VideoFile.read`."""
        return self.file.read(self.index)

    def __repr__(self) -> str:
        return f"frame {self.index}"


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A key to sort names by, with ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts if part)


def is_video(path: str) -> bool:
    """Whether that is a video file, by its suffix."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def records_of_videos(images: str) -> list[ImageRecord]:
    """The frames of videos, video by video: what ``--images`` names.

    A folder with pictures is a video, its frames in the natural order of their names; a folder of
    folders has one in each. A video file is one, its frames named ``VIDEO-0000001.jpg``; a folder
    of video files has one in each. A glob pattern may name any of these, or frames.

    Raises:
        UserError: nothing there; or pictures beside folders of pictures.
    """
    root = Path(images).expanduser()
    if root.is_file():
        if is_video(images):
            return _numbered([_file_frames(root)])
        if root.suffix.lower() not in IMAGE_SUFFIXES:
            raise UserError(
                f"--images {images} is neither a video ({', '.join(VIDEO_SUFFIXES)}) nor a picture"
            )
        return _numbered([_folder_frames(root.parent.name or "video", [root])])
    if root.is_dir():
        found = _videos_below(root)
    elif glob.has_magic(images):
        found = _videos_of_pattern(os.fspath(root))
    else:
        raise UserError(f"--images {images}: no such folder, file, or pattern")
    if not found:
        raise UserError(
            f"--images {images}: no frames there; give a folder of frames ({IMAGE_SUFFIXES[0]}, …),"
            " a folder of such folders, or a video file"
        )
    return _numbered(found)


def _videos_below(root: Path) -> list[list[ImageRecord]]:
    pictures: dict[Path, list[Path]] = {}
    found: list[tuple[str, list[ImageRecord]]] = []
    for parent, _, names in os.walk(root):
        for name in names:
            path = Path(parent) / name
            if path.suffix.lower() in IMAGE_SUFFIXES:
                pictures.setdefault(Path(parent), []).append(path)
            elif is_video(name):
                found.append((path.relative_to(root).with_suffix("").as_posix(), []))
                found[-1][1].extend(_file_frames(path, found[-1][0]))
    if root in pictures and (len(pictures) > 1 or found):
        other = next((os.fspath(folder) for folder in pictures if folder != root), "a video file")
        raise UserError(
            f"--images {root} has frames of its own and {other} beside them; a folder is one "
            "video, or holds one in each of its folders"
        )
    for folder, paths in pictures.items():
        name = folder.relative_to(root).as_posix() if folder != root else root.resolve().name
        found.append((name, _folder_frames(name, paths)))
    found.sort(key=lambda item: natural(item[0]))
    _check_names([name for name, _ in found], root)
    return [frames for _, frames in found]


def _check_names(names: Sequence[str], root: Path) -> None:
    for name, following in itertools.pairwise(names):
        if name == following:
            raise UserError(f"--images {root} has two videos of the name {name!r}; rename one")


def _videos_of_pattern(pattern: str) -> list[list[ImageRecord]]:
    paths = [Path(path) for path in set(glob.glob(pattern, recursive=True))]
    found: list[tuple[str, list[ImageRecord]]] = []
    frames: dict[Path, list[Path]] = {}
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
            if inside:
                frames.setdefault(path, []).extend(inside)
        elif is_video(path.name):
            found.append((path.stem, _file_frames(path)))
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            frames.setdefault(path.parent, []).append(path)
    for folder, own in frames.items():
        name = folder.resolve().name
        found.append((name, _folder_frames(name, sorted(set(own)))))
    found.sort(key=lambda item: natural(item[0]))
    _check_names([name for name, _ in found], Path(pattern))
    return [records for _, records in found]


def _folder_frames(video: str, paths: Sequence[Path]) -> list[ImageRecord]:
    ordered = sorted(paths, key=lambda path: (natural(path.name), path.name))
    return [
        ImageRecord(0, f"{video}/{path.name}", os.fspath(path), place=VideoPlace(video, index))
        for index, path in enumerate(ordered)
    ]


def _file_frames(path: Path, video: str | None = None) -> list[ImageRecord]:
    video = video or path.stem
    file = VideoFile(path)
    stem = video.rpartition("/")[2]
    return [
        ImageRecord(
            0,
            f"{video}/{stem}-{index + 1:07d}.jpg",
            f"{path} (frame {index})",
            source=FrameOfFile(file, index),
            place=VideoPlace(video, index),
        )
        for index in range(file.count())
    ]


def _numbered(videos: Sequence[Sequence[ImageRecord]]) -> list[ImageRecord]:
    records = [record for video in videos for record in video]
    return [
        ImageRecord(i, r.name, r.path, source=r.source, place=r.place)
        for i, r in enumerate(records)
    ]


def records_of_annotations(annotations: Path, folder: Path) -> list[ImageRecord]:
    """The frames that an annotation file names, video by video, in order.

    Raises:
        UserError: no annotations of videos.
    """
    content = read_json(annotations, "annotations")
    if isinstance(content, dict) and "images" in content and "videos" not in content:
        raise UserError(
            f"annotations {annotations} know no videos; run tools/prepare_data.py for the labels "
            "of tracking"
        )
    records: list[ImageRecord] = []
    for video, frames in read_videos(annotations, "annotations").items():
        for frame in frames:
            name = f"{video}/{frame['name']}"
            place = VideoPlace(video, frame["frameIndex"])
            records.append(ImageRecord(len(records), name, os.fspath(folder / name), place=place))
    return records


def by_video(records: Sequence[ImageRecord]) -> Iterator[list[ImageRecord]]:
    """The records of each video, videos and frames in their order."""
    videos: dict[str | None, list[ImageRecord]] = {}
    for record in records:
        videos.setdefault(record.place.video if record.place else None, []).append(record)
    yield from videos.values()


def frame_rate_of(record: ImageRecord) -> float:
    """Frames a second of the video of a record: of its file, or BDD100K's."""
    if isinstance(record.source, FrameOfFile):
        return record.source.file.frame_rate or FRAME_RATE
    return FRAME_RATE
