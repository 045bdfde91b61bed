"""Puts the stand-in for mmcv's compiled ops in place before a test module imports mmcv."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bdd100k_models

ROOT = Path(bdd100k_models.__file__).parents[1]


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Run a script in a fresh interpreter; gives what it printed.

    The script is a file, so that spawned processes can import it. ``path`` are folders that come
    first on its ``sys.path``.
    """

    def run(script: str, *path: Path) -> str:
        file = tmp_path / "script.py"
        file.write_text(script)
        folders = ":".join(map(str, [*path, ROOT]))
        done = subprocess.run(
            [sys.executable, str(file)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            env={"PYTHONPATH": folders, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run
