from __future__ import annotations

import os
from pathlib import Path

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.files import replacing, write_bytes


def test_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a" / "b" / "file.json", b"{}")
    assert path.read_bytes() == b"{}"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bytes(tmp_path / "file", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*/file/deeper: "):
        write_bytes(tmp_path / "file" / "deeper", b"")


def test_what_a_failed_block_wrote_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    write_bytes(target, b"old")
    with pytest.raises(ValueError, match="mine"), replacing(target) as part:
        part.write_bytes(b"new")
        raise ValueError("mine")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
