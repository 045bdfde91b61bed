"""Shards and their merge: order, numbering, cut lines, all or nothing."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from scalabel.label.io import load

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_json
from bdd100k_models.frames.writer import Shards, ShardWriter, merge


@dataclass(frozen=True)
class Output:
    key: str
    filename: str
    frames: bool = True
    first_id: int | None = None


def frame(index: int, labels: int) -> dict[str, Any]:
    box = {"x1": 0.5, "y1": 1.0, "x2": 2.0, "y2": 3.0}
    label = {"category": "car", "score": 0.5, "box2d": box}
    return {"name": f"{index}.jpg", "labels": [label] * labels}


def write_shards(folder: Path, parts: list[list[int]]) -> None:
    for rank, indices in enumerate(parts):
        with ShardWriter(folder, f"000-rank{rank}") as shard:
            for index in indices:
                shard.write(index, {"det": frame(index, index % 3)})


@pytest.mark.parametrize("parts", [[[0, 1, 2, 3]], [[0, 2], [1, 3]], [[3], [2], [0, 1], []]])
def test_the_split_over_ranks_leaves_no_trace(tmp_path: Path, parts: list[list[int]]) -> None:
    write_shards(tmp_path / "shards", parts)
    out = Output("det", "det.json", first_id=1)
    (path,) = merge(Shards(tmp_path / "shards", 4), [out], tmp_path / "out")
    write_shards(tmp_path / "one", [[0, 1, 2, 3]])
    (same,) = merge(Shards(tmp_path / "one", 4), [out], tmp_path / "same")
    assert path.read_bytes() == same.read_bytes()
    frames = json.loads(path.read_bytes())["frames"]
    assert [f["name"] for f in frames] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert [[label["id"] for label in f["labels"]] for f in frames] == [[], ["1"], ["2", "3"], []]


def test_scalabel_loads_it(tmp_path: Path) -> None:
    write_shards(tmp_path / "shards", [[0, 1, 2]])
    out = Output("det", "det.json", first_id=1)
    (path,) = merge(Shards(tmp_path / "shards", 3), [out], tmp_path)
    labels = load(str(path)).frames[2].labels
    assert labels is not None and labels[1].id == "3"
    assert labels[1].box2d is not None and labels[1].box2d.x2 == 2.0


def test_several_files_and_a_bare_list(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "s", "a") as shard:
        shard.write(0, {"a": {"name": "x"}, "b": {"labels": [{"v": 1}]}})
    outputs = [Output("a", "a.json", frames=False), Output("b", "b.json", first_id=0)]
    a, b = merge(Shards(tmp_path / "s", 1), outputs, tmp_path)
    assert json.loads(a.read_bytes()) == [{"name": "x"}]
    assert json.loads(b.read_bytes()) == {"frames": [{"labels": [{"id": "0", "v": 1}]}]}


@pytest.mark.parametrize(("frames", "expected"), [(True, {"frames": []}), (False, [])])
def test_no_images(tmp_path: Path, frames: bool, expected: object) -> None:
    (tmp_path / "s").mkdir()
    (path,) = merge(Shards(tmp_path / "s", 0), [Output("a", "a.json", frames)], tmp_path)
    assert json.loads(path.read_bytes()) == expected


def test_a_cut_line_is_missing_and_not_an_error(tmp_path: Path) -> None:
    write_shards(tmp_path, [[0, 1, 2]])
    path = tmp_path / "000-rank0.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert Shards(tmp_path, 4).missing() == [2, 3]
    with ShardWriter(tmp_path, "001-rank0") as shard:
        shard.write(2, {"det": frame(2, 1)})
        shard.write(3, {"det": frame(3, 1)})
    assert Shards(tmp_path, 4).missing() == []


def nuls(data: bytes) -> bytes:
    return data[:300] + bytes(100) + data[400:]


def garbage(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:2], b'{"i":2,garbage}}\n', *lines[3:]])


def another_digit(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:2], lines[2].replace(b'"score":0.5', b'"score":0.6', 1), *lines[3:]])


def nothing(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize(
    ("damage", "missing"),
    [(nuls, [2]), (garbage, [2]), (another_digit, [2]), (nothing, [0, 1, 2, 3])],
)
def test_a_damaged_line_is_missing(tmp_path: Path, damage: Any, missing: list[int]) -> None:
    write_shards(tmp_path / "s", [[0, 1, 2, 3]])
    write_shards(tmp_path / "whole", [[0, 1, 2, 3]])
    path = tmp_path / "s" / "000-rank0.jsonl"
    path.write_bytes(damage(path.read_bytes()))
    shards = Shards(tmp_path / "s", 4)
    assert shards.missing() == missing
    with ShardWriter(tmp_path / "s", "001-rank0") as shard:
        for index in missing:
            shard.write(index, {"det": frame(index, index % 3)})
    out = Output("det", "det.json", first_id=1)
    (mended,) = merge(Shards(tmp_path / "s", 4), [out], tmp_path / "mended")
    (whole,) = merge(Shards(tmp_path / "whole", 4), [out], tmp_path / "out")
    assert mended.read_bytes() == whole.read_bytes()


def test_lines_behind_a_cut_one_are_whole(tmp_path: Path) -> None:
    write_shards(tmp_path, [[0, 1]])
    path = tmp_path / "000-rank0.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    with ShardWriter(tmp_path, "000-rank0") as shard:
        shard.write(2, {"det": frame(2, 1)})
    assert Shards(tmp_path, 3).missing() == [1]


def test_a_shard_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "000-rank0.jsonl").mkdir()
    with pytest.raises(UserError, match=r"cannot read .*000-rank0\.jsonl: Is a directory; move it"):
        Shards(tmp_path, 1)


def test_the_merge_gives_what_json_gives(tmp_path: Path) -> None:
    labels: list[dict[str, Any]] = [
        {},
        {"category": 'a "labels":[] }{,"o":{', "score": 1e-7, "box2d": None},
        {"attributes": {"labels": [{"x": 1}]}, "graph": {"nodes": [{"id": "ü"}]}},
        {"score": float("nan"), "text": "\u2028\n\\"},
    ]
    frames: list[dict[str, Any]] = [
        {"labels": labels, "name": "a"},
        {"name": "b", "labels": [], "attributes": {"labels": []}},
        {"name": "c", "labels": None},
        {"name": "d"},
        {},
    ]
    rows: list[Any] = [[1, {"labels": [{}]}], None, "text", 1.5, {"labels": labels[1:2]}]
    with ShardWriter(tmp_path / "s", "a") as shard:
        for index, (entry, row) in enumerate(zip(frames, rows, strict=True)):
            shard.write(index, {"f": entry, 'k"ü': row}, error='x","o":{' if index == 3 else None)
    shards = Shards(tmp_path / "s", len(frames))
    assert shards.errors() == {3: 'x","o":{'}
    assert [entries['k"ü'] for entries in shards][:4] == rows[:4]
    outputs = [Output('k"ü', "rows.json", frames=False), Output("f", "f.json", first_id=7)]
    found_rows, found = merge(shards, outputs, tmp_path)
    assert found_rows.read_bytes() == b"[\n" + b",\n".join(map(orjson.dumps, rows)) + b"\n]\n"
    numbered = [{"id": str(number), **label} for number, label in enumerate(labels, 7)]
    frames[0]["labels"] = numbered
    assert found.read_bytes() == (
        b'{"frames":[\n' + b",\n".join(map(orjson.dumps, frames)) + b"\n]}\n"
    )


def test_an_incomplete_run_gives_no_file(tmp_path: Path) -> None:
    write_shards(tmp_path / "s", [[0]])
    with pytest.raises(UserError, match=r"1 of 2 images have no result; .*--resume"):
        merge(Shards(tmp_path / "s", 2), [Output("det", "det.json")], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failed_merge_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "det.json").write_text("old")
    write_shards(tmp_path / "s", [[0]])
    with pytest.raises(KeyError):
        merge(
            Shards(tmp_path / "s", 1),
            [Output("det", "det.json"), Output("gone", "gone.json")],
            tmp_path,
        )
    assert (tmp_path / "det.json").read_text() == "old"
    assert not list(tmp_path.glob(".*.part"))


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    with pytest.raises(UserError, match="cannot write shards"):
        ShardWriter(tmp_path / "s", "a")


def test_write_json_is_strict(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "x.json", {"a": float("nan"), "b": [1.5]})
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == {"a": None, "b": [1.5]}


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    write_shards(tmp_path / "s", [[0]])
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match=r"cannot write to .*out: "):
        merge(Shards(tmp_path / "s", 1), [Output("det", "det.json")], tmp_path / "out")


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    with (
        pytest.raises(UserError, match="No space left on device; what is done is kept"),
        ShardWriter(tmp_path, "full") as shard,
    ):
        shard.write(0, {"det": {"name": "a.jpg", "labels": []}})


def test_a_failed_image_is_done_but_may_be_tried_again(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "s", "000-rank0") as shard:
        shard.write(0, {"det": frame(0, 1)})
        shard.write(2, {"det": frame(2, 0)}, error="cannot read «2.jpg»")
        shard.write(1, {"det": frame(1, 0)}, error="too large")
    shards = Shards(tmp_path / "s", 3)
    assert shards.errors() == {1: "too large", 2: "cannot read «2.jpg»"}
    assert list(shards.errors()) == [1, 2]
    assert shards.missing() == [] and shards.missing(retry_errors=True) == [1, 2]
    (path,) = merge(shards, [Output("det", "det.json", first_id=1)], tmp_path)
    frames = json.loads(path.read_bytes())["frames"]
    assert [len(frame["labels"]) for frame in frames] == [1, 0, 0]
    with ShardWriter(tmp_path / "s", "001-rank0") as shard:
        shard.write(1, {"det": frame(1, 2)})
    again = Shards(tmp_path / "s", 4)
    assert again.errors() == {2: "cannot read «2.jpg»"}
    assert again.missing() == [3] and again.missing(retry_errors=True) == [2, 3]
