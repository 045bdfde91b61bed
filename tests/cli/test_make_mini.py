"""``tools/make_mini_bdd100k.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bdd100k_models.cli.make_mini import main

SCRIPT = Path(__file__).parents[2] / "tools" / "make_mini_bdd100k.py"


def test_it_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path / "d"), "--train", "1", "--val", "0", "--test", "0"]
    videos = ["--train-videos", "0", "--val-videos", "1", "--test-videos", "0", "--frames", "1"]
    assert main([*arguments, *videos, "--workers", "1"]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'd'}: 1 train, 0 val and 0 test pictures, 0 train, 1 val and 0 test videos\n"
    )
    assert (tmp_path / "d/images/track/val/val0000/val0000-0000001.jpg").is_file()
    assert (tmp_path / "d/images/100k/train/train00000.jpg").is_file()


def test_the_script_tells_a_mistake_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(tmp_path), "--train", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr == (
        f"error: {tmp_path} is not empty and was not made by this tool (no mini_bdd100k.json); "
        "choose another folder\n"
    )
    assert (tmp_path / "mine.txt").read_text() == "precious"
