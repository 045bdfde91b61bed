from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bdd100k_models.errors import UserError
from bdd100k_models.visualization import read_picture, save_picture
from bdd100k_models.visualization.pictures import (
    check_targets,
    drawn_name,
    encode_picture,
    thumbnail,
)


@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".jpg", 3), (".WEBP", 6)])
def test_round_trip_keeps_red_red(tmp_path: Path, suffix: str, tolerance: int) -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    picture[:] = (200, 30, 90)
    path = save_picture(tmp_path / "new" / f"ünïcode{suffix}", picture)
    assert np.abs(read_picture(path).astype(int) - picture).max() <= tolerance
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no picture at .*a.jpg"):
        read_picture(tmp_path / "a.jpg")
    for content in (b"", b"not a picture"):
        (tmp_path / "b.jpg").write_bytes(content)
        with pytest.raises(UserError, match=r"b.jpg cannot be read as a picture"):
            read_picture(tmp_path / "b.jpg")


def test_what_cannot_be_written_is_named(tmp_path: Path, grey: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"cannot write .tiff pictures; use .jpg"):
        save_picture(tmp_path / "a.tiff", grey)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*/file/a.jpg"):
        save_picture(tmp_path / "file" / "a.jpg", grey)


def test_a_picture_beyond_reason(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    path = tmp_path / "x.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(UserError, match=r"x\.png is too large a picture"):
        read_picture(path)


def test_thumbnails_keep_proportions_and_never_grow(grey: np.ndarray) -> None:
    assert thumbnail(grey, 320).shape == (180, 320, 3)
    assert thumbnail(grey, 4000) is grey


def test_drawn_name() -> None:
    names = ("a/x.jpg", "x.PNG", "x.bmp", "x")
    assert [drawn_name(name) for name in names] == ["a/x.jpg", "x.PNG", "x.bmp.jpg", "x.jpg"]


@pytest.mark.parametrize("shape", [(720, 1280), (720, 1280, 4), (1, 1), (1, 7, 4), (5, 1)])
@pytest.mark.parametrize("kind", ["areas", "noise", "zeros"])
def test_masks_come_back_pixel_by_pixel(shape: tuple[int, ...], kind: str) -> None:
    random = np.random.default_rng(5)
    mask = random.integers(0, 256, shape, dtype=np.uint8)
    if kind == "areas":
        mask = np.repeat(np.repeat(mask[::40, ::40], 40, axis=0), 40, axis=1)
        mask = np.ascontiguousarray(mask[: shape[0], : shape[1]])
    elif kind == "zeros":
        mask = np.zeros_like(mask)
    data = encode_picture(mask, ".png")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ("RGBA" if len(shape) == 3 else "L")
        image.verify()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), mask)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if len(shape) == 3:
        seen = cv2.cvtColor(seen, cv2.COLOR_BGRA2RGBA)
    assert np.array_equal(seen, mask)


def test_masks_lose_nothing_to_a_view() -> None:
    whole = np.random.default_rng(1).integers(0, 256, (40, 60), dtype=np.uint8)
    view = whole[::2, 5::3].T
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_picture(view, ".png")))), view)


def test_masks_are_pngs() -> None:
    with pytest.raises(UserError, match=r"cannot write masks as \.jpg pictures; use \.png"):
        encode_picture(np.zeros((4, 4), np.uint8), ".jpg")


def test_targets(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    check_targets([("a.jpg", images / "a.jpg"), ("b/a.jpg", images / "b/a.jpg")], out)
    for sources, folder, message in [
        (
            [("../a.jpg", images / "a.jpg")],
            out,
            r"'\.\./a\.jpg': its picture would be written outs",
        ),
        ([("/a.jpg", Path("/a.jpg"))], out, r"'/a\.jpg': its picture would be written outside"),
        ([("a.jpg", images / "a.jpg")], images, r"a\.jpg is one of the images to read"),
        (
            [("a.bmp", "1"), ("a.bmp.jpg", "2")],
            out,
            r"a\.bmp and a\.bmp\.jpg would both be written",
        ),
    ]:
        with pytest.raises(UserError, match=message):
            check_targets(sources, folder)  # type: ignore[arg-type]
