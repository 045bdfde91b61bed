"""The set-up script, as far as it goes without installing anything."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bdd100k_models.files.places import REPOSITORY

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


def test_a_torch_that_is_there_is_seen(script: ModuleType) -> None:
    assert script.has_torch(Path(sys.executable))


def test_no_requirement_brings_back_the_opencv_that_needs_system_libraries() -> None:
    pins = [
        line.partition("==")[0]
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (REPOSITORY / name).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    ]
    assert "opencv-python-headless" in pins
    assert not {"opencv-python", "chumpy", "mmcv-full"} & set(pins)
