"""Whether a file is the one that was published: its MD5 or SHA-256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_bytes

_MD5 = re.compile(rb"\s*([0-9a-fA-F]{32})\b")
#: Pieces that a file is read in, bytes.
_PIECE = 1 << 20


def md5(path: Path) -> str:
    """Hex digest of a file's content."""
    return _digest(path, "md5")


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    return _digest(path, "sha256")


def _digest(path: Path, algorithm: str) -> str:
    # hashlib.file_digest does this, from Python 3.11 on.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def read_md5(text: bytes) -> str | None:
    """The digest that the content of an ``.md5`` file begins with, as ``md5sum`` writes it."""
    match = _MD5.match(text)
    return match.group(1).decode().lower() if match else None


def write_md5(path: Path, digest: str) -> Path:
    """Write the ``.md5`` of a file beside it; gives its path.

    Raises:
        UserError: it cannot be written.
    """
    return write_bytes(path.with_suffix(".md5"), f"{digest}\n".encode())


def verify_sha256(path: Path, digits: str, named: str | Path | None = None) -> None:
    """The SHA-256 of a file begins with ``digits``.

    Raises:
        UserError: it does not; ``named`` is what the message calls the file. Or it cannot be read.
    """
    try:
        found = sha256(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not found.startswith(digits):
        raise UserError(
            f"{named or path} is damaged or another file: its SHA-256 begins with "
            f"{found[: len(digits)]}, not with {digits}; remove it to download it anew"
        )


def verify(path: Path, published: str | None = None, sha256: str | None = None) -> bool:
    """Compare a file with its published MD5, and with the ``.md5`` beside it.

    Both ``NAME.md5`` and ``NAME.pth.md5`` are looked at. Of the SHA-256 the first digits count.

    Returns:
        Whether there was anything to compare with.

    Raises:
        UserError: they differ, or the file cannot be read.
    """
    expected = {} if published is None else {"the catalogue": published}
    try:
        for beside in (path.with_suffix(".md5"), path.with_name(path.name + ".md5")):
            if not beside.is_file():
                continue
            digest = read_md5(beside.read_bytes())
            if digest is None:
                raise UserError(f"{beside} holds no MD5; remove it, or download the weights again")
            expected[beside.name] = digest
        actual = md5(path) if expected else ""
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    for source, digest in expected.items():
        if digest != actual:
            raise UserError(
                f"{path} is damaged or another file: its MD5 is {actual}, {source} says {digest}; "
                "remove it to download it anew, or give the right one"
            )
    if sha256 is not None:
        verify_sha256(path, sha256)
    return bool(expected) or sha256 is not None
