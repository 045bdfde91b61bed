"""Looking at the files of a dataset: sizes, damage, and what masks contain."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Stuff has category ids up to here, and its segments have the same ids.
STUFF_NUM = 30

_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class FileCheck:
    """What was found in one file.

    Attributes:
        name: path below the folder that was looked through.
        height, width: pixels; 0 where the file cannot be read.
        problem: what is wrong, in plain words; empty where nothing is.
        flags: of bitmasks: green channel by instance id; bits of several values are joined.
        mixed_stuff: of bitmasks: whether one stuff category has several ids or flags.
    """

    name: str
    height: int = 0
    width: int = 0
    problem: str = ""
    flags: dict[int, int] = field(default_factory=dict)
    mixed_stuff: bool = False


Check = Callable[[Path, str], FileCheck]


def check_files(
    folder: Path,
    names: Iterable[str],
    check: Check,
    workers: int,
    progress: Callable[[], None] | None = None,
) -> dict[str, FileCheck]:
    """Look at files with several processes.

    Args:
        folder: where they are.
        names: paths below it.
        check: one of the functions of this module.
        workers: processes; 1 uses none but this one.
        progress: called after each file.

    Returns:
        What was found, by name, in the order of ``names``.
    """
    found: dict[str, FileCheck] = {}

    def collect(results: Iterable[FileCheck]) -> None:
        for result in results:
            found[result.name] = result
            if progress is not None:
                progress()

    look = partial(check, folder)
    names = list(names)
    if workers == 1 or len(names) < 32:
        collect(map(look, names))
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            collect(pool.imap(look, names, chunksize=16))
    return found


def check_picture(folder: Path, name: str) -> FileCheck:
    """Size of a picture, and whether its file is whole; the pixels are not decoded."""
    path = folder / name
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            kind = picture.format
        if kind == "JPEG":
            with path.open("rb") as file:
                file.seek(-64, 2)
                # Some cameras pad the end of the file with zeros.
                if not file.read().rstrip(b"\x00").endswith(_JPEG_END):
                    return FileCheck(name, problem="ends too early")
    except (OSError, SyntaxError, ValueError) as error:
        return FileCheck(name, problem=_reason(error))
    return FileCheck(name, height, width)


def check_map(limit: int, folder: Path, name: str) -> FileCheck:
    """A mask of one channel with values below ``limit``, or 255."""
    values, problem = _read(folder / name)
    if values is None:
        return FileCheck(name, problem=problem)
    if values.ndim != 2:
        return FileCheck(name, problem=f"has {values.shape[2]} channels, a mask has 1")
    present = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    strange = [int(value) for value in present if limit <= value < 255]
    if strange:
        return FileCheck(name, problem=f"has the value {strange[0]}, which is no class")
    return FileCheck(name, values.shape[0], values.shape[1])


def check_bitmask(categories: int, folder: Path, name: str) -> FileCheck:
    """A bitmask of four channels with category ids from 0 to ``categories``."""
    values, problem = _read(folder / name)
    if values is None:
        return FileCheck(name, problem=problem)
    if values.ndim != 3 or values.shape[2] != 4:
        channels = 1 if values.ndim == 2 else values.shape[2]
        return FileCheck(name, problem=f"has {channels} channels, a bitmask has 4")
    # OpenCV gives B, G, R, A; the file's channels are category, flags, id high, id low byte.
    packed = (
        (values[..., 2].astype(np.uint32) << 24)
        | (values[..., 1].astype(np.uint32) << 16)
        | (values[..., 0].astype(np.uint32) << 8)
        | values[..., 3]
    )
    flags: dict[int, int] = {}
    stuff: set[int] = set()
    mixed = False
    for value in map(int, np.unique(packed)):
        category, flag, number = value >> 24, (value >> 16) & 255, value & 0xFFFF
        if category > categories:
            return FileCheck(name, problem=f"has the category id {category}, which is no class")
        if category == 0:
            continue
        flags[number] = flags.get(number, 0) | flag
        if category <= STUFF_NUM:
            mixed |= category in stuff or number != category
            stuff.add(category)
    return FileCheck(name, values.shape[0], values.shape[1], flags=flags, mixed_stuff=mixed)


def _read(path: Path) -> tuple[NDArray[np.uint8] | None, str]:
    """The pixels of a PNG, or None and the reason."""
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        return None, _reason(error)
    # OpenCV fills what is missing of a truncated PNG with zeros, without a word.
    if not data.size or b"IEND" not in data[-64:].tobytes():
        return None, "ends too early"
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if values is None:
        return None, "is not a picture"
    return np.asarray(values, dtype=np.uint8), ""


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "is not a picture"
