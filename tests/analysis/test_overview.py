"""Analyses: planted errors of each task are found in their numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.analysis import Analysis, analyze
from bdd100k_models.analysis.errors import KINDS
from bdd100k_models.evaluation import TASKS
from bdd100k_models.zoo import classes
from tests.evaluation.conftest import rle

Rows = list[dict[str, Any]]


def rows(analysis: Analysis, key: str) -> Rows:
    found: Rows = analysis.as_json()["tables"][key]["rows"]
    return found


def by_name(own: Rows) -> dict[str, dict[str, Any]]:
    return {row[next(iter(row))]: row for row in own}


def write(path: Path, frames: Rows) -> Path:
    labels = [own for frame in frames for own in frame["labels"]]
    for number, own in enumerate(labels):
        own.setdefault("id", str(number))
    path.write_text(json.dumps({"frames": frames}))
    return path


#: Boxes apart from each other, x1 y1 x2 y2; 100 by 100 pixels but the last, which is small.
PLACES = [(x, 100, x + 99, 199) for x in range(50, 1050, 200)] + [(1100, 500, 1119, 519)]


def picture(name: str, weather: str, labels: Rows) -> dict[str, Any]:
    return {"name": name, "attributes": {"weather": weather}, "labels": labels}


def label(task: str, category: str, place: tuple[int, ...], **more: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = place
    if task == "det":
        return {"category": category, "box2d": dict(x1=x1, y1=y1, x2=x2, y2=y2), **more}
    mask = np.zeros((720, 1280), dtype=bool)
    mask[y1 : y2 + 1, x1 : x2 + 1] = True
    return {"category": category, "rle": rle(mask), **more}


def moved(place: tuple[int, ...], right: int) -> tuple[int, ...]:
    return (place[0] + right, place[1], place[2] + right, place[3])


@pytest.mark.parametrize("task", ["det", "ins_seg"])
def test_planted_errors(task: str, tmp_path: Path) -> None:
    truth = [
        picture("clear.jpg", "clear", [label(task, "car", place) for place in PLACES]),
        picture("rainy.jpg", "rainy", [label(task, "car", place) for place in PLACES]),
        picture("bus.jpg", "rainy", [label(task, "bus", PLACES[0])]),
    ]
    perfect = [
        {
            "name": frame["name"],
            "labels": [{**own, "score": 0.9 - i / 100} for i, own in enumerate(frame["labels"])],
        }
        for frame in truth
    ]
    true_path = write(tmp_path / "truth.json", truth)
    whole = analyze(task, true_path, write(tmp_path / "perfect.json", perfect))
    assert whole.scores["AP"] == pytest.approx(100)
    assert {row["number"] for row in rows(whole, "errors")} == {0}
    assert {row["costs AP"] for row in rows(whole, "errors")} == {0}

    bad = perfect[1]["labels"]
    bad[0]["category"] = "bus"  # class
    bad[1] = label(task, "car", moved(PLACES[1], 60), score=0.85)  # place
    bad[2] = label(task, "truck", moved(PLACES[2], 60), score=0.8)  # both, and missed
    bad.append(label(task, "car", (50, 600, 149, 699), score=0.7))  # background
    del bad[5]  # missed, the small one
    if task == "det":  # masks of a picture must not overlap
        bad.append(label(task, "car", PLACES[3], score=0.5))  # duplicate
    found = analyze(task, true_path, write(tmp_path / "bad.json", perfect))
    expected = dict.fromkeys(KINDS, 1) | {"missed": 2, "duplicate": int(task == "det")}
    kinds = by_name(rows(found, "errors"))
    assert {kind: kinds[kind]["number"] for kind in KINDS} == expected
    assert all(kinds[kind]["costs AP"] > 0 for kind in ("class", "place", "missed"))
    sizes = by_name(rows(found, "errors_by_size"))
    assert (sizes["missed"]["small"], sizes["missed"]["large"]) == (1, 1)
    per_class = by_name(rows(found, "errors_by_class"))
    assert (per_class["bus"]["class"], per_class["car"]["missed"]) == (1, 2)
    assert rows(found, "confused_classes") == [
        {"true": "car", "predicted": "bus", "predictions": 1}
    ]
    weather = by_name(rows(found, "errors_by_weather"))
    assert weather["clear"]["AP50"] == pytest.approx(100)
    assert weather["rainy"]["AP50"] < 80 and weather["rainy"]["missed"] > 0
    assert by_name(rows(found, "scores_by_weather"))["rainy"]["pictures"] == 2
    assert rows(found, "worst")[0]["picture"] == "rainy.jpg"
    assert "Errors by size" in found.text()


def test_calibration_finds_scores_that_promise_too_much(tmp_path: Path) -> None:
    truth = [picture("a.jpg", "clear", [label("det", "car", PLACES[0])])]
    wrong = [label("det", "car", (x, 500, x + 50, 550), score=0.95) for x in (50, 150, 250)]
    labels = [label("det", "car", PLACES[0], score=0.95), *wrong]
    found = analyze(
        "det",
        write(tmp_path / "t.json", truth),
        write(tmp_path / "p.json", [{"name": "a.jpg", "labels": labels}]),
    )
    (row,) = rows(found, "calibration")
    assert row == {
        "score": "0.9–1.0",
        "predictions": 4,
        "mean score": pytest.approx(95),
        "precision": pytest.approx(25),
    }
    assert "expected calibration error 70.0" in found.text()


def test_borders_and_confusion_of_maps(tmp_path: Path) -> None:
    road, sky = np.zeros((720, 1280), dtype=bool), np.zeros((720, 1280), dtype=bool)
    road[360:], sky[:360] = True, True
    truth = [{"name": "a.jpg", "labels": [named("road", road), named("sky", sky)]}]
    true_path = write(tmp_path / "t.json", truth)
    perfect = analyze("sem_seg", true_path, write(tmp_path / "p.json", truth))
    own = by_name(rows(perfect, "classes"))
    assert (own["road"]["boundary IoU"], own["road"]["IoU"]) == (100, 100)
    assert "confused_classes" not in perfect.as_json()["tables"]

    # The border is 7 rows too high, which is the width of the strip.
    road[353:360], sky[353:360] = True, False
    moved_up = [{"name": "a.jpg", "labels": [named("road", road), named("sky", sky)]}]
    found = analyze("sem_seg", true_path, write(tmp_path / "q.json", moved_up))
    own = by_name(rows(found, "classes"))
    assert own["road"]["IoU"] == pytest.approx(100 * 360 / 367)
    assert own["road"]["boundary IoU"] < 80
    assert own["sky"]["% found"] == pytest.approx(100 * 353 / 360)
    assert rows(found, "confused_classes") == [
        {
            "true": "sky",
            "predicted": "road",
            "% of the true class": pytest.approx(100 * 7 / 360),
            "% of wrong pixels": 100,
        }
    ]
    assert by_name(rows(found, "confusion"))["sky"]["road"] == pytest.approx(100 * 7 / 360)
    assert "100.0 % of the wrong pixels are in such strips" in found.text()


def named(category: str, mask: np.ndarray) -> dict[str, Any]:
    return {"category": category, "rle": rle(mask)}


def test_joints_exchanged_and_lost(world: Any, tmp_path: Path) -> None:
    truth, _ = world.pose()
    frames = json.loads(truth.read_text())["frames"]
    left, right, head = (
        classes.POSE_KEYPOINTS.index(name) for name in ("left_knee", "right_knee", "head")
    )
    for frame in frames:
        for own in frame["labels"]:
            own["score"] = 0.9
            nodes = own["graph"]["nodes"]
            places = (nodes[left]["location"], nodes[right]["location"])
            nodes[right]["location"], nodes[left]["location"] = places
            nodes[head]["location"] = [-5000.0, -5000.0]
    found = analyze("pose", truth, write(tmp_path / "p.json", frames))
    joints = by_name(rows(found, "joints"))
    assert joints["neck"]["good"] == 100 and joints["neck"]["median px"] == 0
    assert joints["head"]["miss"] == 100
    # A random pose has knees that are too near for it now and then.
    assert joints["left_knee"]["inversion"] == joints["right_knee"]["inversion"] > 60
    assert joints["all"]["number"] == 18 * 12


def true_frames(folder: Path) -> Rows:
    return [
        frame for file in sorted(folder.glob("*.json")) for frame in json.loads(file.read_text())
    ]


def test_tracks_that_break(files_of: Callable[[str], tuple[Path, Path]]) -> None:
    truth, predicted = files_of("mot")
    found = analyze("mot", truth, predicted)
    events = rows(found, "events")
    assert {row["event"] for row in events} == {"switch", "fragment"}
    for kind, name in (("switch", "switches"), ("fragment", "fragments")):
        number = sum(row["event"] == kind for row in events)
        assert found.scores[name] == number > 0
        for key in ("tracks_by_class", "tracks_by_video"):
            assert sum(row[name] for row in rows(found, key)) == number
    frames = {
        (frame["videoName"], frame["name"]): frame["frameIndex"]
        for frame in json.loads(predicted.read_text())["frames"]
    }
    where = {(row["event"], frames[row["video"], row["frame"]]) for row in events}
    # Lost in frame 1 only, so found again in frame 2; a new identity from frame 3 on.
    assert {index for kind, index in where if kind == "fragment"} == {2}
    assert {index for kind, index in where if kind == "switch"} == {3}
    ids = {label["id"] for frame in true_frames(truth) for label in frame["labels"]}
    assert {row["id"] for row in events} <= ids
    assert rows(found, "broken_tracks")[0]["switches"] >= 1


def test_segments_and_tags(files_of: Callable[[str], tuple[Path, Path]]) -> None:
    truth, predicted = files_of("pan_seg")
    segments = rows(analyze("pan_seg", truth, predicted), "segments")
    assert sum(row["found"] for row in segments) > 0
    truth, predicted = files_of("tagging")
    found = analyze("tagging", truth, predicted)
    # World.tagging: clear, rainy, clear, snowy; guessed clear, clear, clear, snowy.
    confusion = by_name(rows(found, "confusion_weather"))
    assert (confusion["rainy"]["clear"], confusion["clear"]["clear"]) == (1, 2)
    assert [row["picture"] for row in rows(found, "worst")] == ["scene-1.jpg"]


@pytest.mark.parametrize("task", [task for task in TASKS if task != "tagging"])
def test_nothing_predicted_is_analysed_all_the_same(
    task: str, files_of: Callable[[str], tuple[Path, Path]]
) -> None:
    truth, predicted = files_of(task)
    frames = json.loads(predicted.read_text())["frames"]
    for frame in frames:
        frame["labels"] = []
    predicted.write_text(json.dumps({"frames": frames}))
    found = analyze(task, truth, predicted)
    main = next(iter(found.scores))
    assert found.scores[main] <= 0  # MOTA of nothing is 0, and less with false alarms
    assert json.dumps(found.as_json(), allow_nan=False)
    assert found.text().startswith(f"{task}: ")
