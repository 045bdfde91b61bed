"""What systems do differently: the way of this one, and that of one which lacks it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bdd100k_models import system


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let modules be missing, as on Windows."""
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)


def refuse(*arguments: Any, **options: Any) -> None:
    raise OSError("not permitted")


def test_processes_are_forked_where_that_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert system.start_method() == "fork"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.start_method() == "spawn"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "fork")
    assert system.start_method() == "spawn"


def test_cores_are_all_where_nobody_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(system.usable_cores()) <= set(range(psutil.cpu_count() or 1))
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert system.usable_cores() == (0, 1, 2)


def test_an_interface_is_unknown_without_fcntl(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "fcntl")
    assert system.interface_of("127.0.0.1") is None


def test_memory_is_that_of_this_process_and_its_largest_child() -> None:
    code = "held = bytearray(200 * 2**20)"
    subprocess.run([sys.executable, "-c", code], check=True)
    own, child = system.peak_memory()
    assert own >= psutil.Process().memory_info().rss / 2**20 * 0.9
    assert child > 200


def test_memory_without_resource_is_what_windows_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def memory_info(self) -> Any:
            return type("Info", (), {"peak_wset": 300 * 2**20})

    without(monkeypatch, "resource")
    monkeypatch.setattr(psutil, "Process", Process)
    assert system.peak_memory() == (300.0, 0.0)


@pytest.mark.parametrize("lacking", [(), ("symlink_to",), ("symlink_to", "link")])
def test_a_file_has_a_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, ...]
) -> None:
    (tmp_path / "epoch_2.pth").write_text("new")
    latest = tmp_path / "latest.pth"
    latest.write_text("old")
    if "symlink_to" in lacking:
        monkeypatch.setattr(Path, "symlink_to", refuse)
    if "link" in lacking:
        monkeypatch.setattr(os, "link", refuse)
    system.point_to(latest, Path("epoch_2.pth"))
    assert latest.read_text() == "new"
    assert latest.is_symlink() == (not lacking)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_2.pth", "latest.pth"]


@pytest.mark.parametrize("groups", [True, False])
def test_a_process_ends(monkeypatch: pytest.MonkeyPatch, groups: bool) -> None:
    if not groups:
        monkeypatch.delattr(os, "killpg", raising=False)
    code = "import time; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    system.end_group(process)
    assert process.returncode == -signal.SIGKILL


def test_nothing_else_asks_for_what_a_system_may_lack() -> None:
    package = Path(system.__file__).parent
    asked = {
        f"{path.relative_to(package)}: {word}"
        for path in package.rglob("*.py")
        if path.name != "system.py"
        for word in ("import fcntl", "import resource", "sched_getaffinity", "killpg", "SIGCHLD")
        if word in path.read_text(encoding="utf-8")
    }
    assert asked == set()
