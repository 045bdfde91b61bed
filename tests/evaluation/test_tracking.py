"""Tracks scored: perfect ones at 100, and one line for each mistake."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import check_ground_truth, evaluate, evaluate_apart

Frames = list[dict[str, Any]]


@pytest.fixture(scope="module")
def truth(mini_root: Path) -> dict[str, Path]:
    return {
        "mot": mini_root / "labels/box_track_20/val",
        "mots": mini_root / "labels/seg_track_20/rles/val",
    }


def frames_of(folder: Path) -> Frames:
    files = sorted(folder.glob("*.json"))
    return [frame for file in files for frame in json.loads(file.read_text())]


def written(path: Path, frames: Frames) -> Path:
    path.write_text(json.dumps({"frames": frames}))
    return path


@pytest.mark.parametrize("task", ["mot", "mots"])
def test_the_ground_truth_scores_100(truth: dict[str, Path], tmp_path: Path, task: str) -> None:
    frames = frames_of(truth[task])
    scores = evaluate(task, truth[task], written(tmp_path / "p.json", frames))
    present = {label["category"] for frame in frames for label in frame["labels"]}
    for metric in ("MOTA", "IDF1"):
        for name in present - {"trailer"}:
            assert scores.per_class[metric][name] == 100
        assert scores.summary[metric] == 100
    assert scores.summary["IDSw"] == 0
    assert check_ground_truth(task, truth[task]) == scores.images == scores.predicted == 10
    if len(present) < 8:
        assert any("count what is absent as 0" in note for note in scores.notes)


def test_the_toolkits_own_command_says_the_same(truth: dict[str, Path], tmp_path: Path) -> None:
    frames = frames_of(truth["mot"])
    for frame in frames[::3]:
        for number, label in enumerate(frame["labels"]):
            label["id"] = str(900 + number)
    predicted = written(tmp_path / "p.json", frames)
    ours = evaluate("mot", truth["mot"], predicted)
    out = tmp_path / "official.json"
    command = [sys.executable, "-m", "bdd100k.eval.run", "-t", "box_track", "--nproc", "1"]
    command += ["-q", "-g", str(truth["mot"]), "-r", str(predicted), "--out-file", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    official = json.loads(out.read_text())
    assert ours.summary["mIDF1"] == official["mIDF1"] < 100
    assert ours.summary["mMOTA"] == official["mMOTA"]
    assert ours.as_dict()["IDSw"] == official["IDSw"]
    assert evaluate_apart("mot", truth["mot"], predicted, nproc=2).summary == ours.summary


def test_a_frame_without_prediction_counts_as_empty(truth: dict[str, Path], tmp_path: Path) -> None:
    frames = frames_of(truth["mot"])
    path = written(tmp_path / "p.json", frames[:3])
    scores = evaluate("mot", truth["mot"], path)
    assert (scores.images, scores.predicted) == (10, 3)
    assert scores.summary["MOTA"] < 50
    only = evaluate("mot", truth["mot"], path, predicted_only=True)
    assert only.images == 3 and only.summary["MOTA"] == 100
    names = [f"{frame['videoName']}/{frame['name']}" for frame in frames[:3]]
    assert evaluate("mot", truth["mot"], path, names=names).summary["MOTA"] == 100


def _rename(frames: Frames) -> None:
    frames[1]["labels"][0]["id"] = "car-7"


def _repeat(frames: Frames) -> None:
    frames[1]["labels"][0]["id"] = frames[1]["labels"][1]["id"]


def _unnamed(frames: Frames) -> None:
    del frames[2]["videoName"]


def _twice(frames: Frames) -> None:
    frames[2]["frameIndex"] = 1


def _late(frames: Frames) -> None:
    for frame in frames[:5]:
        frame["frameIndex"] += 1


def _other_task(frames: Frames) -> None:
    frames[0]["labels"][0]["category"] = "traffic sign"


def _boxless(frames: Frames) -> None:
    del frames[0]["labels"][0]["box2d"]


def _other_video(frames: Frames) -> None:
    for frame in frames[:5]:
        frame["videoName"] = "elsewhere"


def _shifted(frames: Frames) -> None:
    frames[1]["frameIndex"], frames[2]["frameIndex"] = 2, 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_rename, "has id 'car-7'; ids are whole numbers"),
        (_repeat, "as another label there has"),
        (_unnamed, "has no 'videoName'"),
        (_twice, "two frames of frameIndex 1"),
        (_late, "has no frame 0"),
        (_other_task, "of category 'traffic sign', which mot does not know"),
        (_boxless, "has no box2d"),
        (_other_video, "has no video 'elsewhere'; is this the right split"),
        (_shifted, "frameIndex counts from 0"),
    ],
)
def test_a_mistake_in_predictions_is_one_line(
    truth: dict[str, Path], tmp_path: Path, spoil: Callable[[Frames], None], message: str
) -> None:
    frames = copy.deepcopy(frames_of(truth["mot"]))
    spoil(frames)
    with pytest.raises(UserError) as error:
        evaluate("mot", truth["mot"], written(tmp_path / "p.json", frames))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_overlapping_masks_are_refused(truth: dict[str, Path], tmp_path: Path) -> None:
    frames = frames_of(truth["mots"])
    frames[0]["labels"][1]["rle"] = frames[0]["labels"][0]["rle"]
    with pytest.raises(UserError, match="overlap"):
        evaluate("mots", truth["mots"], written(tmp_path / "p.json", frames))


def test_a_coco_file_is_a_ground_truth_too(
    mini_root: Path, truth: dict[str, Path], tmp_path: Path
) -> None:
    coco = mini_root / "jsons/box_track_val_cocofmt.json"
    frames = frames_of(truth["mot"])
    assert evaluate("mot", coco, written(tmp_path / "p.json", frames)).summary["MOTA"] == 100
