"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bdd100k_models.errors import UserError


@contextmanager
def replacing(path: str | Path, way_out: str = "choose another place") -> Iterator[Path]:
    """Within, a path beside ``path`` to write to; afterwards what was written stands at ``path``.

    A reader sees the old file or the new one, never a part; when the block raises, the old file
    stays. Missing folders are made. The name of the temporary file is this process's own and ends
    like that of ``path``, as some writers choose the format by it.

    Raises:
        UserError: the folder cannot be made or written to, or the disk is full; ``way_out`` ends
            the message.
    """
    target = Path(path)
    part = target.with_name(f".{os.getpid()}.part.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {target}: {reason}; {way_out}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` whole; gives the path.

    Raises:
        UserError: see :func:`replacing`.
    """
    with replacing(path) as part:
        part.write_bytes(data)
    return Path(path)


def write_json(path: str | Path, content: Any) -> Path:
    """Strict, indented JSON; NaN and infinity become null, numpy arrays lists.

    Raises:
        UserError: see :func:`replacing`.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    return write_bytes(path, orjson.dumps(content, option=options) + b"\n")
