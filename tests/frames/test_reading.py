"""Frame files: what is taken, and one line for each mistake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.frames import rle
from bdd100k_models.frames.reading import check_labels, label_problem, read_frames, read_names

BOX = {"x1": 1, "y1": 2.5, "x2": 3, "y2": 4}
NODE = {"id": "a", "location": [1, 2]}


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("bare", [True, False])
def test_frames_of_a_file(tmp_path: Path, bare: bool) -> None:
    frames = [{"name": "b.jpg", "labels": [{"box2d": BOX}]}, {"name": "a.jpg", "labels": None}]
    path = write(tmp_path / "x.json", frames if bare else {"frames": frames, "config": None})
    assert read_frames(path, "predictions") == frames


def test_frames_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "2.json", [{"name": "a"}])
    write(tmp_path / "1.json", {"frames": [{"name": "b"}]})
    (tmp_path / "notes.txt").touch()
    assert [frame["name"] for frame in read_frames(tmp_path, "labels")] == ["b", "a"]
    write(tmp_path / "3.json", [{"name": "b"}])
    with pytest.raises(UserError, match=r"labels .* names 'b' more than once"):
        read_frames(tmp_path, "labels")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no labels at .*x.json; give the path"),
        ("[" * 100_000, "labels .*x.json is not JSON"),
        ("[NaN, " + "[" * 100_000, "labels .*x.json is not JSON"),
        ("null", "labels .*x.json is not in Scalabel form"),
        ("5", "is not in Scalabel form"),
        ('{"frames": null}', "is not in Scalabel form"),
        ('{"frames": {}}', "is not in Scalabel form"),
        ("[]", "has no frames"),
        ("[null]", "frame 0 has no 'name'"),
        ('[{"name": "a"}, {"name": 5}]', "frame 1 has no 'name'"),
        ('[{"name": ""}]', "frame 0 has no 'name'"),
        ('[{"name": "a\\u0000b"}]', "frame 0 has no 'name'"),
        ('[{"name": "a"}, {"name": "a"}]', "names 'a' more than once"),
        ('[{"name": "a", "labels": {}}]', "'labels' of frame 'a' is not a list of labels"),
        ('[{"name": "a", "labels": [1, 2]}]', "is not a list of labels: one is 1"),
        ('[{"name": "a", "labels": [null]}]', "is not a list of labels: one is null"),
        ('[{"name": "a", "attributes": 5}]', "'attributes' of frame 'a' is 5, not an object"),
    ],
)
def test_files_that_hold_no_frames(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        write(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=message) as caught:
        read_frames(tmp_path / "x.json", "labels")
    assert "\n" not in str(caught.value)


def test_names_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    coco = {"images": [{"file_name": "b.jpg"}, {"file_name": "a/a.jpg"}], "annotations": []}
    assert read_names(write(path, coco)) == ["b.jpg", "a/a.jpg"]
    assert read_names(write(path, [{"name": "b.jpg"}])) == ["b.jpg"]
    assert read_names(write(path, {"frames": [{"name": "b.jpg"}]})) == ["b.jpg"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("null", "annotations .*x.json is neither COCO nor Scalabel JSON; run tools/prepare_data"),
        ("7", "neither COCO nor Scalabel"),
        ('"text"', "neither COCO nor Scalabel"),
        ("{}", "neither COCO nor Scalabel"),
        ('{"images": null}', "'images' is null, not a list"),
        ('{"images": {"a": 1}}', "'images' is an object, not a list"),
        ('{"images": 3}', "'images' is 3, not a list"),
        ('{"images": []}', "has no images"),
        ('{"frames": []}', "has no frames"),
        ('{"images": [5]}', "'file_name' of image 0 is null"),
        ('{"images": [{"file_name": "a"}, {"file_name": 5}]}', "'file_name' of image 1 is 5"),
        ('{"images": [{"file_name": {}}]}', "'file_name' of image 0 is an object"),
        ('{"images": [{"file_name": "a"}, {"file_name": "a"}]}', "names 'a' more than once"),
    ],
)
def test_files_that_name_no_pictures(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_names(write(tmp_path / "x.json", content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ({"category": 5}, "'category' is 5, not text"),
        ({"score": "0.5"}, "'score' is text, not a number"),
        ({"score": float("nan")}, "'score' is nan, not a number"),
        ({"score": True}, "'score' is true, not a number"),
        ({"attributes": 5}, "'attributes' is 5, not an object"),
        ({"box2d": [1, 2, 3, 4]}, "'box2d' is a list, not an object"),
        ({"box2d": {**BOX, "x1": "1"}}, "x1 of 'box2d' is text, not a number"),
        ({"box2d": {**BOX, "y2": None}}, "y2 of 'box2d' is null, not a number"),
        ({"box2d": {**BOX, "y1": float("inf")}}, "y1 of 'box2d' is inf, not a number"),
        ({"box2d": {**BOX, "y1": 10**400}}, "y1 of 'box2d' is 1000000000000000…, not a number"),
        ({"rle": "04"}, "'rle': a mask is an object with counts and size"),
        ({"graph": 5}, "'graph' has no list of 'nodes'"),
        ({"graph": {"nodes": [5]}}, "a node of 'graph' has no 'id'"),
        ({"graph": {"nodes": [{"id": [1]}]}}, "a node of 'graph' has no 'id'"),
        (
            {"graph": {"nodes": [NODE | {"category": [1]}]}},
            "'category' of a node of 'graph' is a list, not text",
        ),
        (
            {"graph": {"nodes": [{"id": "a", "location": [1]}]}},
            "'location' of a node of 'graph' is not a pair of numbers",
        ),
        (
            {"graph": {"nodes": [{"id": "a", "location": [1, None]}]}},
            "'location' of a node of 'graph' is not a pair of numbers",
        ),
        ({"graph": {"nodes": [NODE], "edges": 5}}, "'edges' of 'graph' is 5, not a list"),
        (
            {"graph": {"nodes": [NODE], "edges": [{"source": "a"}]}},
            "an edge of 'graph' has no 'target'",
        ),
    ],
)
def test_problems_of_labels(label: dict[str, Any], problem: str) -> None:
    assert label_problem(label) == problem
    with pytest.raises(UserError, match=r"^labels x: label 1 of frame 'f': "):
        check_labels([{"name": "f", "labels": [{"box2d": BOX}, label]}], "labels x")


def test_labels_that_are_whole() -> None:
    edge = {"source": "a", "target": "a", "type": None}
    labels = [
        {"box2d": BOX, "category": "car", "score": 1, "id": "7", "attributes": {"crowd": False}},
        {"rle": rle.encode_mask(np.eye(5, dtype=bool)), "score": None},
        {"graph": {"nodes": [NODE | {"score": 0.5}], "edges": [edge]}},
        {"graph": {"nodes": []}, "box2d": None, "poly2d": None},
        {},
    ]
    check_labels([{"name": "f", "labels": labels}, {"name": "g"}], "labels x")
