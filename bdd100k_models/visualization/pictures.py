"""Reading and writing pictures, RGB."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_bytes

Picture = npt.NDArray[np.uint8]

#: Number of channels -> colour type of a PNG, for what is no photograph.
_PNG_TYPES = {1: 0, 4: 6}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: The filter of a row that stores differences to the row above.
_PNG_UP = 2

#: Suffix -> what cv2 takes beside the pixels.
_WRITERS: dict[str, list[int]] = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 90],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 90],
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 90],
}

#: Suffixes of the pictures that can be written.
WRITABLE = tuple(_WRITERS)


def drawn_name(name: str) -> str:
    """The name of the drawn picture of an image: its own, or ``x.bmp`` -> ``x.bmp.jpg``."""
    return name if Path(name).suffix.lower() in WRITABLE else f"{name}.jpg"


def check_targets(
    sources: Iterable[tuple[str, str | Path]],
    folder: Path,
    target_name: Callable[[str], str] = drawn_name,
) -> None:
    """The pictures to write stay in their folder, apart, and off the images to read.

    Args:
        sources: name and file of each image.
        folder: where the pictures go.
        target_name: the path of an image's picture below it.

    Raises:
        UserError: the images in question, and what to do.
    """
    sources = list(sources)
    read = {os.path.realpath(file) for _, file in sources}
    taken: dict[str, str] = {}
    for name, _ in sources:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"image {name!r}: its picture would be written outside {folder}")
        target = os.path.realpath(folder / target_name(name))
        if target in read:
            raise UserError(
                f"{target} is one of the images to read and would be overwritten; "
                "choose another folder to write to"
            )
        if target in taken:
            raise UserError(
                f"{taken[target]} and {name} would both be written to {target}; "
                "rename one of the images"
            )
        taken[target] = name


def read_picture(path: str | Path) -> Picture:
    """A picture file as (H, W, 3) uint8 RGB.

    Raises:
        UserError: not there, or not a picture.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(f"no picture at {path}; is this the folder of the images?") from error
    try:
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise UserError(f"{path} is too large a picture for OpenCV, or damaged") from error
    if decoded is None:
        raise UserError(f"{path} cannot be read as a picture; it may be damaged or cut short")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def encode_picture(image: Picture, suffix: str) -> bytes:
    """(H, W, 3) uint8 RGB as the bytes of a file with ``suffix`` (``.jpg``, ``.png``, ``.webp``).

    Masks, (H, W), and bitmasks, (H, W, 4) RGBA, keep their channels in a ``.png``.

    Raises:
        UserError: another suffix.
    """
    if suffix.lower() not in _WRITERS:
        raise UserError(f"cannot write {suffix or 'nameless'} pictures; use {', '.join(_WRITERS)}")
    if image.ndim == 2 or image.shape[2] == 4:
        if suffix.lower() != ".png":
            raise UserError(f"cannot write masks as {suffix} pictures; use .png")
        return _encode_flat_png(image)
    ordered = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(suffix.lower(), ordered, _WRITERS[suffix.lower()])
    return data.tobytes()


def _encode_flat_png(image: Picture) -> bytes:
    """A mask as a PNG: areas of one colour, a third of the time that libpng's choices take.

    Areas go on from row to row, so differences to the row above are nearly all 0, and run lengths
    say the rest. The work is done without the interpreter's lock.
    """
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1)
    data = np.empty((height, rows.shape[1] + 1), dtype=np.uint8)
    data[:, 0] = _PNG_UP
    data[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=data[1:, 1:])
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    colour_type = _PNG_TYPES[rows.shape[1] // width]
    return b"".join(
        (
            _PNG_SIGNATURE,
            _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
            _png_chunk(b"IDAT", packer.compress(data.data) + packer.flush()),
            _png_chunk(b"IEND", b""),
        )
    )


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    """Length, kind, data, checksum."""
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def save_picture(path: str | Path, image: Picture) -> Path:
    """Write (H, W, 3) uint8 RGB, or a mask; the suffix decides the format, the file appears whole.

    Raises:
        UserError: a suffix that is no picture's, or a place that cannot be written to.
    """
    return write_bytes(path, encode_picture(image, Path(path).suffix))


def thumbnail(image: Picture, width: int) -> Picture:
    """The picture at most ``width`` pixels wide, proportions kept."""
    height = round(image.shape[0] * width / image.shape[1])
    if width >= image.shape[1]:
        return image
    small = cv2.resize(image, (width, max(1, height)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)
