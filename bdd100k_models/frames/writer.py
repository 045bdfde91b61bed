"""Results of finished images as lines of shard files, and shards merged into the output files.

One line per image, ``{"i": 12, "p": [["det", 70, [24]]], "o": {"det": {…frame…}}, "c": "89ab…"}``:

- ``i`` is the place in the dataset;
- ``e``, where the image failed, says why; ``o`` then holds what stands in its place;
- ``p`` says of each entry how many bytes it has and where in them its labels begin;
- ``o`` holds the entries by key of the output file;
- ``c`` is the checksum of what is before it.

Every process of a run appends to a shard of its own; a killed run leaves whole lines behind, and at
most one cut one. A line that is cut or damaged is a missing image. The merge copies the entries'
bytes and puts label ids between them, so it decodes nothing, and it needs the place of each line
only: its memory is a few bytes an image. Output files appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import orjson

from bdd100k_models.errors import UserError

_HEAD = re.compile(rb'\{"i":(\d+),("e":)?')
#: What the head of a line ends with: within strings, quotes are escaped.
_ENTRIES = b',"o":{'
#: The end of a line: the checksum, and what is around it.
_TAIL = len(b',"c":"01234567"}\n')
_SUFFIX = ".jsonl"
_BRACE = ord("}")
#: Bytes that are read or written at once.
_BUFFER = 1 << 20


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
            self._file: IO[bytes] = open(self.path, "ab", buffering=_BUFFER)
            # Behind a line that a killed run cut, the next one begins a line of its own.
            if self._file.tell():
                self._file.write(b"\n")
        except OSError as error:
            raise UserError(f"cannot write shards in {folder}: {error.strerror}") from error

    def write(self, index: int, entries: Mapping[str, Any], error: str | None = None) -> None:
        """One image's entries, by key of the output file. On disk when this returns.

        ``error`` says why the image has no result; its entries are what stands in its place.
        """
        places, values = [], []
        for key, entry in entries.items():
            value, labels = _encode(entry)
            places.append((key, len(value), labels))
            values.append(orjson.dumps(key) + b":" + value)
        head: dict[str, Any] = {"i": index, "p": places}
        if error is not None:
            head = {"i": index, "e": error, "p": places}
        line = orjson.dumps(head)[:-1] + _ENTRIES + b",".join(values) + b"}"
        try:
            self._file.write(line + b',"c":"%08x"}\n' % zlib.crc32(line))
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
                match = _HEAD.match(line)
                if match is None or int(match.group(1)) >= count:
                    continue
                index = int(match.group(1))
                self._file[index] = number
                self._offset[index] = offset
                self._errors.pop(index, None)
                if match.group(2):
                    self._errors[index] = _head(line)["e"]

    def missing(self, *, retry_errors: bool = False) -> list[int]:
        """Places of the images that no shard has; with ``retry_errors`` also those that failed."""
        missing = {int(index) for index in np.flatnonzero(self._file < 0)}
        return sorted(missing | self._errors.keys() if retry_errors else missing)

    def apart(self, places: Sequence[int]) -> bool:
        """Whether shards lack one of these images, or hold them in more than one file."""
        files = self._file[np.asarray(places, dtype=np.int64)]
        return bool((files < 0).any() or (files != files[0]).any())

    def errors(self) -> dict[int, str]:
        """What went wrong with the images that failed, by place, in dataset order."""
        return dict(sorted(self._errors.items()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Entries of each image by key of the output file, in dataset order; see :meth:`lines`."""
        for line in self.lines():
            yield orjson.loads(line)["o"]

    def lines(self) -> Iterator[bytes]:
        """Line of each image, in dataset order.

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
            files += [open(path, "rb", buffering=_BUFFER) for path in self.paths]
            for number, offset in zip(self._file.tolist(), self._offset.tolist(), strict=True):
                files[number].seek(offset)
                yield files[number].readline()
        finally:
            for file in files:
                file.close()


def _encode(entry: Any) -> tuple[bytes, list[int]]:
    """An entry as JSON, and where in it the labels of a frame begin."""
    if not isinstance(entry, dict) or not isinstance(entry.get("labels"), list):
        return orjson.dumps(entry), []
    parts: list[bytes] = []
    begins: list[int] = []
    size = 0
    separator = b"{"
    for key, member in entry.items():
        name = separator + orjson.dumps(key) + b":"
        separator = b","
        if key != "labels":
            parts.append(name + orjson.dumps(member))
            size += len(parts[-1])
            continue
        parts.append(name + b"[")
        size += len(name) + 1
        labels = [orjson.dumps(label) for label in member]
        for label in labels:
            begins.append(size)
            size += len(label) + 1
        parts.append(b",".join(labels) + b"]")
        # The last label has a bracket behind it, or where there is none the bracket comes alone.
        size += not labels
    return b"".join(parts) + b"}", begins


def _head(line: bytes) -> dict[str, Any]:
    head: dict[str, Any] = orjson.loads(line[: line.index(_ENTRIES)] + b"}")
    return head


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of the lines that are as they were written."""
    offset = 0
    try:
        with open(path, "rb", buffering=_BUFFER) as file:
            for line in file:
                body = line[:-_TAIL]
                if line[-_TAIL:] == b',"c":"%08x"}\n' % zlib.crc32(body):
                    yield offset, line
                offset += len(line)
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; move it away and run the same command with "
            "--resume"
        ) from error


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
            for line in shards.lines():
                start = line.index(_ENTRIES) + len(_ENTRIES)
                entries: dict[str, tuple[bytes, list[int]]] = {}
                for key, size, labels in _head(line)["p"]:
                    start += len(orjson.dumps(key)) + 1
                    entries[key] = line[start : start + size], labels
                    start += size + 1
                for key, writer in writers.items():
                    writer.write(*entries[key])
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
        self._file = open(path, "wb", buffering=_BUFFER)
        self._next_id = output.first_id
        self._end = b"\n]}\n" if output.frames else b"\n]\n"
        self._separator = b'{"frames":[\n' if output.frames else b"[\n"

    def write(self, entry: bytes, labels: Sequence[int]) -> None:
        """An entry as JSON; ``labels`` are the places in it where labels begin."""
        self._file.write(self._separator)
        self._separator = b",\n"
        if self._next_id is None or not labels:
            self._file.write(entry)
            return
        ends = [*labels[1:], len(entry)]
        self._file.write(entry[: labels[0]])
        first = self._next_id
        self._next_id += len(labels)
        self._file.write(
            b"".join(
                [
                    b'{"id":"%d"%b%b'
                    % (number, b"" if entry[begin + 1] == _BRACE else b",", entry[begin + 1 : end])
                    for number, begin, end in zip(
                        range(first, self._next_id), labels, ends, strict=True
                    )
                ]
            )
        )

    def close(self) -> None:
        if self._separator != b",\n":
            self._file.write(self._separator)
        self._file.write(self._end)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
