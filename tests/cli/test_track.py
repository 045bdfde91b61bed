"""``tools/track.py``."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.cli.track import main
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import evaluate

SCRIPT = Path(__file__).parents[2] / "tools" / "track.py"
Frames = list[dict[str, Any]]


@pytest.fixture
def detections(mini_root: Path) -> Frames:
    """The true boxes of two videos, without identities."""
    files = sorted((mini_root / "labels/box_track_20/val").glob("*.json"))
    frames: Frames = [frame for file in files for frame in json.loads(file.read_text())]
    for frame in frames:
        frame["labels"] = [
            {"category": label["category"], "box2d": label["box2d"], "score": 0.9}
            for label in frame["labels"]
            if label["category"] != "trailer"
        ]
    return frames


def write(path: Path, frames: Frames) -> str:
    path.write_text(json.dumps({"frames": frames}))
    return str(path)


def test_true_boxes_become_tracks_that_score_well(
    mini_root: Path, detections: Frames, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detections[0]["labels"].append(
        {"category": "traffic sign", "score": 0.9, "box2d": {"x1": 1, "y1": 1, "x2": 9, "y2": 9}}
    )
    out = tmp_path / "mot.json"
    assert main([write(tmp_path / "det.json", detections), "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("2 videos, 10 frames, ")
    made = json.loads(out.read_text())["frames"]
    assert [frame["frameIndex"] for frame in made] == [0, 1, 2, 3, 4] * 2
    assert {label["category"] for label in made[0]["labels"]}.isdisjoint({"traffic sign"})
    assert made[0]["labels"][0]["id"] == "0" == made[5]["labels"][0]["id"]
    summary = evaluate("mot", mini_root / "labels/box_track_20/val", out).summary
    assert summary["MOTA"] > 85 and summary["IDF1"] > 80


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f[1].pop("videoName"), "has no 'videoName'; these are pictures"),
        (lambda f: f[1].update(frameIndex=0), "two frames of frameIndex 0"),
        (lambda f: [x.update(frameIndex=x["frameIndex"] + 1) for x in f], "has no frame 0"),
        (lambda f: f[0]["labels"][0].update(category="road"), "of category 'road'"),
        (lambda f: f[0]["labels"][0].pop("score"), "has no score"),
        (lambda f: f[0]["labels"][0].pop("box2d"), "has no box2d"),
    ],
)
def test_what_cannot_be_tracked_is_told(
    detections: Frames, tmp_path: Path, spoil: Callable[[Frames], Any], message: str
) -> None:
    frames = copy.deepcopy(detections)
    spoil(frames)
    with pytest.raises(UserError) as error:
        main([write(tmp_path / "d.json", frames), "--out", str(tmp_path / "mot.json")])
    assert message in str(error.value)
    assert not (tmp_path / "mot.json").exists()


def test_thresholds_are_shares(detections: Frames, tmp_path: Path) -> None:
    path = write(tmp_path / "d.json", detections)
    with pytest.raises(UserError, match="--low-score is not above --high-score"):
        main([path, "--out", str(tmp_path / "o.json"), "--low-score", "0.7"])


def test_the_script_runs_alone(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path / "no.json"), "--out", "x.json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: no detections at {tmp_path / 'no.json'}")
