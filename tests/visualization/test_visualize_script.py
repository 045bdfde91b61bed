"""``tools/visualize.py`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.visualization import draw_frame, read_picture, save_picture

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "visualize.py"
LABEL = {"category": "car", "score": 0.9, "box2d": {"x1": 9, "y1": 20, "x2": 50, "y2": 60}}
FRAMES = [{"name": "a.png", "labels": [LABEL]}, {"name": "sub/a.png"}, {"name": "b.bmp"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import cv2

    black = np.zeros((90, 160, 3), dtype=np.uint8)
    save_picture(tmp_path / "images" / "a.png", black)
    save_picture(tmp_path / "images" / "sub" / "a.png", black)
    (tmp_path / "images" / "b.bmp").write_bytes(cv2.imencode(".bmp", black)[1].tobytes())
    (tmp_path / "frames.json").write_text(json.dumps({"frames": FRAMES}))
    return tmp_path


def run(folder: Path, *more: Any) -> subprocess.CompletedProcess[str]:
    arguments = ["--frames", "frames.json", "--images", "images", "--out", "out", *more]
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def drawn(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder / "out")) for file in folder.rglob("out/**/*.*"))


def test_draws_every_frame_under_its_own_name(folder: Path) -> None:
    done = run(folder)
    assert (done.returncode, done.stdout) == (0, "3 pictures in out\n")
    assert "3/3 pictures" in done.stderr
    assert drawn(folder) == ["a.png", "b.bmp.jpg", "sub/a.png"]
    expected = draw_frame(np.zeros((90, 160, 3), dtype=np.uint8), FRAMES[0])
    assert np.array_equal(read_picture(folder / "out" / "a.png"), expected)


def test_limit_score_and_ground_truth(folder: Path) -> None:
    (folder / "truth.json").write_text(json.dumps([{"name": "a.png", "labels": []}]))
    done = run(folder, "--limit", 1, "--min-score", 0.95, "--ground-truth", "truth.json")
    assert done.returncode == 0
    assert drawn(folder) == ["a.png"]
    both = read_picture(folder / "out" / "a.png")
    assert both.shape[1] > 2 * 160 and both.shape[0] > 90
    assert not both[-90:, :160].any() and not both[-90:, -160:].any()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([{"name": "gone.jpg"}], "error: no picture at images/gone.jpg"),
        ([{"name": "../a.png"}], "error: image '../a.png': its picture would be written outside"),
        ([{"name": "/etc/a.png"}], "error: image '/etc/a.png': its picture would be written"),
        ({"images": []}, "error: frames frames.json is not in Scalabel form"),
        ([{"name": "a.png", "labels": [1, 2]}], "error: frames frames.json: 'labels' of frame"),
        ([{"name": "a.png", "attributes": 5}], "error: frames frames.json: 'attributes' of frame"),
        (
            [{"name": "a.png", "labels": [{"box2d": {"x1": "9", "y1": 1, "x2": 2, "y2": 3}}]}],
            "error: frames frames.json: label 0 of frame 'a.png': x1 of 'box2d' is text",
        ),
        (
            [{"name": "a.png", "labels": [{"box2d": {"x1": None, "y1": 1, "x2": 2, "y2": 3}}]}],
            "error: frames frames.json: label 0 of frame 'a.png': x1 of 'box2d' is null",
        ),
        (
            [{"name": "a.png", "labels": [{"rle": {"counts": "garbage", "size": [90, 160]}}]}],
            "error: frames frames.json: label 0 of frame 'a.png': 'rle': ",
        ),
        (
            [{"name": "a.png", "labels": [{"rle": {"counts": "0", "size": [10**6, 10**6]}}]}],
            "error: frames frames.json: label 0 of frame 'a.png': 'rle': a size of 1000000x1000000",
        ),
        ([{"name": "b.bmp"}, {"name": "b.bmp.jpg"}], "error: b.bmp and b.bmp.jpg would both be"),
    ],
)
def test_mistakes_exit_with_2_and_one_line(folder: Path, frames: Any, message: str) -> None:
    (folder / "frames.json").write_text(json.dumps(frames))
    done = run(folder)
    assert done.returncode == 2
    assert done.stderr.startswith(message), done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_the_pictures_are_not_overwritten(folder: Path) -> None:
    before = (folder / "images" / "a.png").read_bytes()
    done = run(folder, "--out", "images")
    assert done.returncode == 2
    assert (
        done.stderr.startswith("error: ") and "would be overwritten; choose another" in done.stderr
    )
    assert done.stderr.count("\n") == 1
    (folder / "link").symlink_to("images")
    assert run(folder, "--out", "link").returncode == 2
    assert (folder / "images" / "a.png").read_bytes() == before


def test_the_ground_truth_is_checked_too(folder: Path) -> None:
    label = {"rle": {"counts": "", "size": [90, 160]}}
    (folder / "truth.json").write_text(json.dumps([{"name": "a.png", "labels": [label]}]))
    done = run(folder, "--ground-truth", "truth.json")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ground truth truth.json: label 0 of frame 'a.png': 'rle'")
