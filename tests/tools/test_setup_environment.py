"""The set-up script, as far as it goes without installing anything."""

import configparser
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.weights import reading

SCRIPT = REPOSITORY / "tools" / "setup_environment.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_environment", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("version", "path", "told"),
    [
        ((3, 9, 18), "", "this is 3.9.18, which is too old for today's torch; install one"),
        ((3, 15, 0), "", "this is 3.15.0, which is newer than what was tried; install python3.14"),
        ((2, 7, 18), "python3.12", "this is 2.7.18 "),
    ],
)
def test_another_python_is_told_in_one_line(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int, int],
    path: str,
    told: str,
) -> None:
    if path:
        executable(tmp_path / path, "exit 0")
        executable(tmp_path / "python3.14", "exit 127")  # there, but it does not run
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "argv", ["setup_environment.py"])
    assert script.main() == 2
    line = capsys.readouterr().err
    assert line.startswith("error: Python 3.10 to 3.14 are supported, ")
    assert told in line and line.count("\n") == 1
    found = tmp_path / path if path else "python3.14"
    assert f"make setup PYTHON={found}" in line


def test_an_environment_of_another_python_is_not_touched(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "python", "echo 3.8")
    monkeypatch.setattr(sys, "argv", ["setup_environment.py", "--venv", str(tmp_path)])
    assert script.main() == 2
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert capsys.readouterr().err == (
        f"error: {tmp_path} is an environment of Python 3.8, this is {here}: remove the folder, "
        "name another one with --venv, or run make with PYTHON=python3.8\n"
    )


def test_nothing_is_done_twice(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    lock = script.lock_file(sys.version_info[:2])
    (tmp_path / "installed.sha256").write_text(script.stamp(lock))
    done = subprocess.run(
        [sys.executable, SCRIPT, "--venv", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_stamp_follows_the_pins(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==1.26.4\n")
    before = script.stamp(lock)
    for name in script.REQUIREMENTS:
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.stamp(lock) == before
    (tmp_path / "requirements.txt").write_text("numpy\n")
    changed = script.stamp(lock)
    assert changed != before
    lock.write_text("numpy==1.26.3\n")
    assert script.stamp(lock) not in (before, changed)


def test_a_torch_that_is_there_is_seen(script: ModuleType, tmp_path: Path) -> None:
    version = script.torch_version(Path(sys.executable))
    assert version is not None and script.is_new_enough(version)
    assert script.torch_version(executable(tmp_path / "none", "exit 1")) is None


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("1.13.1", False),
        ("2.9.1+cu130", False),
        ("2.10.0", True),
        ("2.15.0+cpu", True),
        ("3.0.0", True),
    ],
)
def test_a_torch_whose_loader_has_holes_is_replaced(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: str,
    enough: bool,
) -> None:
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "python", f"echo {version}")
    steps: list[str] = []
    monkeypatch.setattr(script, "step", lambda what, command, **_: steps.append(what))
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.1.0\nnvidia-nccl-cu13==2.30.7\ntorch==2.15.0\ntriton==3.9.0\n")
    script.install(tmp_path, lock, None, False)
    assert ("torch" in steps) != enough
    # What belongs to one version of torch does not hold for another.
    assert (tmp_path / "constraints.txt").read_text() == "numpy==2.1.0\n"
    told = capsys.readouterr().out.strip()
    if enough:
        assert told == f"torch {version} is there and new enough, it stays"
    else:
        assert told == (
            f"torch {version} is there and is replaced: before 2.10 a checkpoint can make it run "
            "code"
        )


def executable(path: Path, command: str) -> Path:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
    return path


def test_the_oldest_torch_is_the_same_everywhere(script: ModuleType) -> None:
    oldest = ".".join(map(str, reading.SAFE_TORCH))
    assert script.OLDEST_TORCH == reading.SAFE_TORCH
    assert f"torch>={oldest}\n" in (REPOSITORY / "requirements-torch.txt").read_text()
    pins = script.lock_file(script.PYTHONS[0], oldest=True).read_text()
    assert f"\ntorch=={oldest}.0 " in pins
    assert f"torch ≥ {oldest} " in (REPOSITORY / "README.md").read_text()


def test_no_requirement_brings_back_the_opencv_that_needs_system_libraries(
    script: ModuleType,
) -> None:
    for lock in (REPOSITORY / "locks").glob("*.txt"):
        names = {line.partition("==")[0] for line in lock.read_text().splitlines()}
        assert "opencv-python-headless" in names
        assert not {"opencv-python", "chumpy", "mmcv-full", "xtcocotools"} & names


def locks(script: ModuleType) -> list[tuple[Path, str]]:
    """Every lock with the Python that it is for."""
    versions = [(script.lock_file(one), script.written(one)) for one in script.PYTHONS]
    first = script.PYTHONS[0]
    return [*versions, (script.lock_file(first, oldest=True), script.written(first))]


def test_locks_hold_what_is_required(script: ModuleType) -> None:
    """Each requirement has a version in each lock, and one that it allows."""
    for lock, python in locks(script):
        pins = dict(
            line.split()[0].split("==", 1)
            for line in lock.read_text().splitlines()
            if not line.startswith("#")
        )
        for name in script.REQUIREMENTS:
            if not name.startswith("requirements"):
                continue
            for line in (REPOSITORY / name).read_text().splitlines():
                if not line or line.startswith("#"):
                    continue
                wanted = Requirement(line)
                pinned = pins.get(canonicalize_name(wanted.name))
                assert pinned is not None, f"{lock.name} lacks {wanted.name}"
                assert wanted.specifier.contains(pinned), f"{lock.name}: {wanted.name} {pinned}"
        assert f"for Python {python};" in lock.read_text().splitlines()[0]


def test_there_is_a_lock_for_each_python_and_no_other(script: ModuleType) -> None:
    assert {path for path, _ in locks(script)} == set((REPOSITORY / "locks").glob("*.txt"))
    said = configparser.ConfigParser()
    said.read(REPOSITORY / "setup.cfg")
    classifiers = said["metadata"]["classifiers"]
    for version in script.PYTHONS:
        assert f"Programming Language :: Python :: {script.written(version)}" in classifiers
    assert said["options"]["python_requires"] == f">={script.written(script.PYTHONS[0])}"
