"""Files against their MD5."""

import hashlib
import os
from pathlib import Path

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.weights import digests

MD5 = hashlib.md5(b"weights").hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.pth"
    path.write_bytes(b"weights")
    return path


def test_digests_of_more_than_one_piece(tmp_path: Path) -> None:
    content = os.urandom(digests._PIECE + 7)
    (tmp_path / "x").write_bytes(content)
    assert digests.md5(tmp_path / "x") == hashlib.md5(content).hexdigest()
    assert digests.sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


def test_nothing_to_compare_with(path: Path) -> None:
    assert not digests.verify(path)


@pytest.mark.parametrize("name", ["x.md5", "x.pth.md5"])
@pytest.mark.parametrize("text", [MD5, f" {MD5.upper()}  models/x.pth\n"])
def test_an_md5_beside_the_file(path: Path, name: str, text: str) -> None:
    (path.parent / name).write_text(text)
    assert digests.verify(path)
    path.write_bytes(b"weighty")
    with pytest.raises(UserError, match=rf"x\.pth is damaged or another file: .* {name} says"):
        digests.verify(path)


def test_the_catalogues_md5_counts_where_nothing_lies_beside(path: Path) -> None:
    assert digests.verify(path, MD5)
    with pytest.raises(UserError, match=f"its MD5 is {MD5}, the catalogue says {'0' * 32}"):
        digests.verify(path, "0" * 32)


def test_the_catalogues_md5_counts_though_another_lies_beside(path: Path) -> None:
    digests.write_md5(path, MD5)
    with pytest.raises(UserError, match="the catalogue says"):
        digests.verify(path, "0" * 32)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff\xfe12", MD5.encode() + b"0"])
def test_an_md5_that_is_none(path: Path, content: bytes) -> None:
    path.with_suffix(".md5").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.md5 holds no MD5"):
        digests.verify(path)
