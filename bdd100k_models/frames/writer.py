"""Results of finished images as lines of shard files, and shards merged into the output files.

One line per image, ``{"i": 12, "o": {"det": {…frame…}}}``, where ``i`` is the place in the dataset;
of an image that failed, ``{"i": 12, "e": "what went wrong", "o": {…what stands in its place…}}``.
Every process of a run appends to a shard of its own; a killed run leaves whole lines behind, and at
most one cut one, which is ignored. The merge needs the place of each line only, so its memory is a
few bytes an image. Output files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import orjson

from bdd100k_models.errors import UserError

_LINE = re.compile(rb'\{"i":(\d+),("e":)?')
_SUFFIX = ".jsonl"


class JsonOutput(Protocol):
    """What the merge has to know of an output file; see ``tasks.base.OutputFile``."""

    @property
    def key(self) -> str: ...
    @property
    def filename(self) -> str: ...
    @property
    def frames(self) -> bool: ...
    @property
    def first_id(self) -> int | None: ...


class ShardWriter:
    """Appends finished images to one shard file.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / (name + _SUFFIX)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = open(self.path, "ab")
        except OSError as error:
            raise UserError(f"cannot write shards in {folder}: {error.strerror}") from error

    def write(self, index: int, entries: Mapping[str, Any], error: str | None = None) -> None:
        """One image's entries, by key of the output file. On disk when this returns.

        ``error`` says why the image has no result; its entries are what stands in its place.
        """
        line: dict[str, Any] = {"i": index} if error is None else {"i": index, "e": error}
        try:
            self._file.write(orjson.dumps({**line, "o": entries}) + b"\n")
            self._file.flush()
        except OSError as error:
            raise UserError(
                f"cannot write {self.path}: {error.strerror}; what is done is kept, make room "
                "and add --resume"
            ) from error

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # what write could not flush, and has told
            self._file.close()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Shards:
    """All finished images of a folder of shards: for each image, the file and place of its line."""

    def __init__(self, folder: Path, count: int) -> None:
        """``count`` is the number of images of the run."""
        self.paths = sorted(folder.glob("*" + _SUFFIX))
        self._file = np.full(count, -1, dtype=np.int32)
        self._offset = np.zeros(count, dtype=np.int64)
        self._errors: dict[int, str] = {}
        for number, path in enumerate(self.paths):
            for offset, line in _whole_lines(path):
                match = _LINE.match(line)
                if match and int(match.group(1)) < count:
                    index = int(match.group(1))
                    self._file[index] = number
                    self._offset[index] = offset
                    self._errors.pop(index, None)
                    if match.group(2):
                        self._errors[index] = orjson.loads(line)["e"]

    def missing(self, *, retry_errors: bool = False) -> list[int]:
        """Places of the images that no shard has; with ``retry_errors`` also those that failed."""
        missing = {int(index) for index in np.flatnonzero(self._file < 0)}
        return sorted(missing | self._errors.keys() if retry_errors else missing)

    def errors(self) -> dict[int, str]:
        """What went wrong with the images that failed, by place, in dataset order."""
        return dict(sorted(self._errors.items()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Entries of each image, in dataset order.

        Raises:
            UserError: an image is missing.
        """
        missing = self.missing()
        if missing:
            raise UserError(
                f"{len(missing)} of {len(self._file)} images have no result; "
                "run the same command with --resume to complete it"
            )
        files: list[IO[bytes]] = []
        try:
            files += [open(path, "rb") for path in self.paths]
            for number, offset in zip(self._file, self._offset, strict=True):
                files[number].seek(int(offset))
                yield orjson.loads(files[number].readline())["o"]
        finally:
            for file in files:
                file.close()


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of the lines that end in a line feed."""
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"}}\n"):
                yield offset, line
            offset += len(line)


def merge(shards: Shards, outputs: Sequence[JsonOutput], folder: Path) -> list[Path]:
    """Write the output files from the shards, in dataset order, and move them into place.

    Label ids are counted here, as a shard cannot know how many labels the others hold.

    Raises:
        UserError: an image is missing, or the folder cannot be written.
    """
    temporary = {out.key: folder / f".{out.filename}.part" for out in outputs}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writers = {out.key: _Writer(temporary[out.key], out) for out in outputs}
        try:
            for entries in shards:
                for key, writer in writers.items():
                    writer.write(entries[key])
        finally:
            for writer in writers.values():
                writer.close()
        for out in outputs:
            os.replace(temporary[out.key], folder / out.filename)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    finally:
        for path in temporary.values():
            with contextlib.suppress(OSError):
                path.unlink()
    return [folder / out.filename for out in outputs]


class _Writer:
    """One output file being written: an entry a line."""

    def __init__(self, path: Path, output: JsonOutput) -> None:
        self._file = open(path, "wb")
        self._next_id = output.first_id
        self._end = b"\n]}\n" if output.frames else b"\n]\n"
        self._separator = b'{"frames":[\n' if output.frames else b"[\n"

    def write(self, entry: dict[str, Any]) -> None:
        if self._next_id is not None:
            numbered = []
            for label in entry["labels"]:
                numbered.append({"id": str(self._next_id), **label})
                self._next_id += 1
            entry = {**entry, "labels": numbered}
        self._file.write(self._separator + orjson.dumps(entry))
        self._separator = b",\n"

    def close(self) -> None:
        if self._separator != b",\n":
            self._file.write(self._separator)
        self._file.write(self._end)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
