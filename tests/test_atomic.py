from __future__ import annotations

import os
from pathlib import Path

import pytest

from bdd100k_models import atomic
from bdd100k_models.errors import UserError


def test_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = atomic.write_bytes(tmp_path / "a" / "b" / "file.json", b"{}")
    assert path.read_bytes() == b"{}"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = atomic.write_bytes(tmp_path / "file", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"cannot write .*file: No space left on device"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*/file/deeper: "):
        atomic.write_bytes(tmp_path / "file" / "deeper", b"")
