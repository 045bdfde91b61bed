"""JSON is read, or refused in one line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json


def test_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"é": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(path) == {"é": [1, 2.5, None]}


def test_nan_of_the_toolkit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": NaN, "b": Infinity}')
    content = read_json(path)
    assert math.isnan(content["a"])
    assert content["b"] == math.inf


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN', b"NaN" + b"[" * 100_000],
    ids=["empty", "cut", "no utf-8", "nested", "cut with NaN", "nested with NaN"],
)
def test_what_is_no_json(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"^the truth {path} is not JSON: .*write it again$"):
        read_json(path, "the truth")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^cannot read .*b\.json: No such file or directory$"):
        read_json(tmp_path / "b.json")
    with pytest.raises(UserError, match="Is a directory"):
        read_json(tmp_path)
