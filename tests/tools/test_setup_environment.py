"""The set-up script, as far as it goes without installing anything."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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


def test_another_python_is_told_in_one_line(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PYTHON", (2, 7))
    monkeypatch.setattr(sys, "argv", ["setup_environment.py"])
    assert script.main() == 2
    told = capsys.readouterr().err
    assert told.startswith("error: the pinned packages cover Python 2.7, this is 3.")
    assert "make setup PYTHON=" in told and told.count("\n") == 1


def test_nothing_is_done_twice(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "installed.sha256").write_text(script.stamp())
    done = subprocess.run(
        [sys.executable, SCRIPT, "--venv", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_stamp_follows_the_pins(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = script.stamp()
    for name in script.REQUIREMENTS:
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert script.stamp() == before
    (tmp_path / "requirements.txt").write_text("numpy==1.26.3\n")
    assert script.stamp() != before


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
    monkeypatch.setattr(script, "step", lambda what, command: steps.append(what))
    script.install(tmp_path, None, False)
    assert ("torch" in steps) != enough
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
    assert f"torch>={oldest}\n" in (REPOSITORY / "setup.cfg").read_text()
    assert f"torch >= {oldest} " in (REPOSITORY / "requirements-torch.txt").read_text()
    assert f"torch ≥ {oldest} " in (REPOSITORY / "README.md").read_text()


def test_no_requirement_brings_back_the_opencv_that_needs_system_libraries() -> None:
    pins = [
        line.partition("==")[0]
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (REPOSITORY / name).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    ]
    assert "opencv-python-headless" in pins
    assert not {"opencv-python", "chumpy", "mmcv-full"} & set(pins)
