"""One process at a time: a lock file that ends with the process that holds it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bdd100k_models.errors import UserError


class LockedError(UserError):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path, busy: str, *, wait: bool = False) -> Iterator[None]:
    """Within, no other process is in a block that holds ``path``, on this machine or another.

    The file goes with the lock. Processes forked meanwhile (loader workers, which outlive a killed
    run for some seconds) do not hold it.

    Args:
        path: the lock file; its folder is made where it is missing.
        busy: what to tell when another process holds it.
        wait: wait for that process instead.

    Raises:
        LockedError: ``busy``.
        UserError: the folder cannot be written, or its file system has no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=wait)
    except Timeout as error:
        raise LockedError(busy) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot lock {path}: {reason}; choose a folder that can be written, on a file system "
            "with locks"
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # whoever waits for a lock that is gone makes a new one
            os.unlink(path)
        lock.release()
