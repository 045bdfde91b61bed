from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.visualization import read_picture, save_picture
from bdd100k_models.visualization.pictures import drawn_name, thumbnail


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


def test_thumbnails_keep_proportions_and_never_grow(grey: np.ndarray) -> None:
    assert thumbnail(grey, 320).shape == (180, 320, 3)
    assert thumbnail(grey, 4000) is grey


def test_drawn_name() -> None:
    names = ("a/x.jpg", "x.PNG", "x.bmp", "x")
    assert [drawn_name(name) for name in names] == ["a/x.jpg", "x.PNG", "x.bmp.jpg", "x.jpg"]
