"""A lock is one process's, is told when taken, and goes with a killed holder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.files import LockedError, hold

_HOLD = """
import os, sys, time
from pathlib import Path
from bdd100k_models.files import hold
with hold(Path(sys.argv[1]), "busy"):
    if os.fork() == 0:
        print("held", flush=True)
    time.sleep(60)
"""


def test_second_holder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with hold(path, "first"), pytest.raises(LockedError, match=r"^taken$"), hold(path, "taken"):
        pass
    assert not path.exists()
    with hold(path, "again"):
        assert path.exists()


def test_killed_holder_lets_go_though_a_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError), hold(path, "busy"):
            pass
        holder.kill()
        holder.wait()
        with hold(path, "busy"):
            pass
    finally:
        os.killpg(holder.pid, signal.SIGKILL)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"cannot lock .*file/lock"),
        hold(tmp_path / "file" / "lock", "busy"),
    ):
        pass


def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(UserError, match="No locks available; choose a folder") as caught,
        hold(tmp_path / "lock", "busy"),
    ):
        pass
    assert not isinstance(caught.value, LockedError)
