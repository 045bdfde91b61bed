"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bdd100k_models.errors import UserError


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write ``data`` beside ``path`` and move it into place; missing folders are made.

    A reader sees the old file or the new one, never a part. Returns the path.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {target}: {reason}; choose another place") from error
    return target
