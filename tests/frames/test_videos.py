"""Frames of videos: grouped and in order, and one line for what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.frames.videos import check_identities, frames_of_coco, group, read_videos


def frame(video: Any = "a", index: Any = 0, name: str | None = None, ids: Any = ()) -> Any:
    made = {"name": name or f"{video}-{index}.jpg", "labels": [{"id": i} for i in ids]}
    if video is not None:
        made["videoName"] = video
    if index is not None:
        made["frameIndex"] = index
    return made


def test_frames_come_by_video_and_in_order() -> None:
    grouped = group([frame("b", 1), frame("a", 0), frame("b", 0), frame("a", 2)], "x")
    assert {video: [f["frameIndex"] for f in own] for video, own in grouped.items()} == {
        "b": [0, 1],
        "a": [0, 2],
    }


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([frame(None, 0, "n.jpg")], "frame 'n.jpg' has no 'videoName'"),
        ([frame("a", None, "n.jpg")], "'frameIndex' of frame 'n.jpg' of video 'a' is None"),
        ([frame("a", -1)], "is -1; it counts"),
        ([frame("a", 0), frame("a", 0, "m.jpg")], "two frames of frameIndex 0, 'a-0.jpg' and 'm"),
        ([frame("a", 1), frame("a", 2)], "video 'a' has no frame 0, its first is 1"),
        ([frame("a", 0, "n"), frame("a", 1, "n")], "names 'n' more than once"),
    ],
)
def test_what_is_no_video_is_told(frames: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        group(frames, "predictions p.json")
    assert str(error.value).startswith("predictions p.json: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["7", "car"], "has id 'car'; ids are whole numbers"),
        (["-1"], "has id '-1'"),
        ([str(2**31)], "has id '2147483648'"),
        (["7", 7], "has id '7', as another label there has"),
        ([None], "has no id"),
        ([1.5], "has no id"),
    ],
)
def test_identities_are_numbers_of_their_own(ids: Any, message: str) -> None:
    with pytest.raises(UserError, match="predictions: ") as error:
        check_identities([frame(ids=ids)], "predictions")
    assert message in str(error.value)


def test_ids_of_labels_may_be_text_where_they_are_ground_truth() -> None:
    check_identities([frame(ids=["a7", "b"])], "labels", numbers=False)


def test_a_folder_of_files_is_read_as_one(tmp_path: Path) -> None:
    for video in ("a", "b"):
        (tmp_path / f"{video}.json").write_text(json.dumps([frame(video, 0), frame(video, 1)]))
    assert list(read_videos(tmp_path, "labels")) == ["a", "b"]


def test_coco_annotations_become_labels() -> None:
    content = {
        "videos": [{"id": 1, "name": "v"}],
        "categories": [{"id": 3, "name": "car"}],
        "images": [{"id": 5, "video_id": 1, "frame_id": 0, "file_name": "v/v-0000001.jpg"}],
        "annotations": [
            {
                "image_id": 5,
                "category_id": 3,
                "instance_id": 9,
                "bbox": [1, 2, 10, 20],
                "iscrowd": 1,
            }
        ],
    }
    (found,) = frames_of_coco(content, "x")
    assert (found["name"], found["videoName"], found["frameIndex"]) == ("v-0000001.jpg", "v", 0)
    (label,) = found["labels"]
    assert label["id"] == "9" and label["category"] == "car" and label["attributes"]["crowd"]
    assert label["box2d"] == {"x1": 1, "y1": 2, "x2": 10, "y2": 21}
    del content["annotations"][0]["instance_id"]  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="trouble with 'instance_id'"):
        frames_of_coco(content, "x")
