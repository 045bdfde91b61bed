"""A folder that others can set as their mirror: weights under the names that they are asked for.

Published weights lie as on the zoo's server, ``TASK/models/NAME.pth``, those of others in
``public/``. An ``.md5`` is beside each, as downloads look for it, and ``SHA256SUMS`` in the folder
is what ``sha256sum --check`` reads.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.files import hold, replacing, write_bytes
from bdd100k_models.weights.availability import WantedFile, ask, wanted_files
from bdd100k_models.weights.digests import md5, sha256
from bdd100k_models.weights.store import find_public, find_published, store
from bdd100k_models.zoo import catalogue

if TYPE_CHECKING:
    from bdd100k_models.zoo.catalogue import PublishedModel

#: Lists the SHA-256 of all files of a mirror, in the form of ``sha256sum``.
SUMS = "SHA256SUMS"

_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True)
class Mirrored:
    """What became of a file that a mirror should have.

    Attributes:
        file: which one.
        path: where it is in the mirror; None where it could not be had.
        new: whether it was put there now.
        reason: why it could not be had.
    """

    file: WantedFile
    path: Path | None
    new: bool = False
    reason: str = ""


def mirror(models: Sequence[PublishedModel], folder: Path) -> Iterator[Mirrored]:
    """Put the weights of models into ``folder``, from the store, mirrors and their hosts.

    What is there already, with the digest that ``SHA256SUMS`` says, stays. Files appear whole or
    not at all, so that a mirror can be set while it grows.

    Raises:
        UserError: the folder cannot be written, is the store, or another process fills it.
    """
    folder = folder.expanduser().resolve()
    if folder == store().expanduser().resolve():
        raise UserError(f"--mirror {folder} is the store itself; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--mirror: cannot write {folder}: {error.strerror}") from error
    with hold(folder / ".mirror.lock", f"another process fills {folder}"):
        sums = _read_sums(folder)
        files = wanted_files(models)
        missing = [file for file in files if not _is_there(folder, file, sums)]
        # Hosts that are gone are asked once, not for each of their files.
        absent = [file for file in missing if not file.stored.is_file()]
        told = dict(ask(absent))
        for file in files:
            relative = _place(file)
            if file not in missing:
                yield Mirrored(file, folder / relative)
                continue
            if relative.startswith("urls/"):
                yield Mirrored(file, None, reason="published elsewhere, where no mirror is asked")
                continue
            answers = told.get(file, [])
            if answers and not any(answer.found for answer in answers):
                reasons = dict.fromkeys(f"{answer.host}: {answer.reason}" for answer in answers)
                yield Mirrored(file, None, reason="; ".join(reasons))
                continue
            try:
                found = _find(file)
            except UserError as error:
                yield Mirrored(file, None, reason=str(error))
                continue
            sums[relative] = _put(found, folder / relative)
            _write_sums(folder, sums)
            yield Mirrored(file, folder / relative, new=True)


def _find(file: WantedFile) -> Path:
    model = catalogue.find(file.models[0])
    return find_published(model) if file.kind == "published" else find_public(model)


def _place(file: WantedFile) -> str:
    """Its path below a mirror, which is that below the store."""
    return file.stored.relative_to(store()).as_posix()


def _is_there(folder: Path, file: WantedFile, sums: dict[str, str]) -> bool:
    relative = _place(file)
    path = folder / relative
    return relative in sums and path.is_file() and sha256(path) == sums[relative]


def _put(source: Path, target: Path) -> str:
    """Copy a file, with its MD5 beside it; gives its SHA-256."""
    with replacing(target, "choose a folder with room for --mirror") as part:
        shutil.copyfile(source, part)
        digest, sum_ = md5(part), sha256(part)
    name = re.sub(r"\.pth$", "", target.name) + ".md5"
    write_bytes(target.with_name(name), f"{digest}  {target.name}\n".encode())
    return sum_


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as {os.fspath(SUMS)}: {error}") from error
    found = [match for line in lines if (match := _SUM.fullmatch(line))]
    return {match.group(2): match.group(1) for match in found}


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    write_bytes(folder / SUMS, text.encode())
