"""Loader processes that are killed or cannot start: one line, and what is done is kept."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bdd100k_models.files import REPOSITORY

Train = Callable[..., int]
FAILED = "error: a process that loads pictures failed ("
WAYS_OUT = "Ways out: --workers 0; more shared memory (docker run --shm-size 8g); a higher ulimit"


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill_a_loader(own: int, log: Path) -> None:
    """Wait until the log says that a step is done, and kill the first loader process."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if any('"iter"' in path.read_text() for path in log.glob("*.log.json")):
            for pid in children(own):
                if (
                    Path(f"/proc/{pid}/cmdline").read_bytes()
                    == Path(f"/proc/{own}/cmdline").read_bytes()
                ):
                    os.kill(pid, signal.SIGKILL)
                    return
        time.sleep(0.02)


def test_a_killed_loader_keeps_the_step(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    killer = threading.Thread(target=kill_a_loader, args=(os.getpid(), run))
    killer.start()
    options = ["runner.max_epochs=2000", "checkpoint_config.interval=4000"]
    assert train("run", "--no-validate", "--workers", "1", options=options) == 2
    killer.join()
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(FAILED)
    assert WAYS_OUT in error
    assert "Traceback" not in error
    last = torch.load(run / "latest.pth", weights_only=True)
    assert last["meta"]["iter"] >= 1
    more = ("--no-validate", "--workers", "0", "--limit-steps", str(last["meta"]["iter"] + 1))
    assert train("run", *more, "--resume", options=options) == 0


@contextmanager
def few_handles(free: int) -> Iterator[None]:
    """Within, this process can open so many more files and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    unused = (number for number in range(before[0]) if number not in used)
    limit = next(itertools.islice(unused, free, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_few_file_handles_are_told(
    train: Train, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert train("first", "--no-validate", "--limit-steps", "1") == 0  # all is imported by now
    capsys.readouterr()
    with few_handles(10):
        assert train("run", "--no-validate", "--workers", "4") == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith(f"{FAILED}[Errno 24] Too many open files)")
    assert "Traceback" not in error


def test_little_shared_memory_is_told(mini_root: Path, tmp_path: Path, tiny: Path) -> None:
    """In a mount namespace of its own, where this machine lets us have one."""
    argv = [str(REPOSITORY / "tools" / "train.py"), str(tiny), "--data-root", str(mini_root)]
    argv += ["--work-dir", str(tmp_path / "run"), "--device", "cpu", "--no-validate"]
    script = 'mount -t tmpfs -o size=64k tmpfs /dev/shm || exit 77; exec "$@"'
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, *argv, "--workers", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if run.returncode in (1, 77) and "unshare" in run.stderr + "mount" * (run.returncode == 77):
        pytest.skip("no mount namespaces here")
    assert run.returncode == 2, run.stderr
    assert run.stderr.splitlines()[-1].startswith(FAILED)
    assert "No space left on device" in run.stderr
    assert "Traceback" not in run.stderr
