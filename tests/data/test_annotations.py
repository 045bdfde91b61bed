"""COCO files that the packages' datasets would trip over."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.data.annotations import check_coco
from bdd100k_models.errors import UserError

CONTENT: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "height": 720, "width": 1280},
        {"id": 2, "file_name": "b.jpg", "height": 720, "width": 1280},
    ],
    "annotations": [
        {"id": 5, "image_id": 1, "category_id": 3, "bbox": [1, 2.5, 3, 4], "area": 12},
        {
            "id": 6,
            "image_id": 2,
            "category_id": 3,
            "bbox": [1, 2, 3, 4],
            "area": 12.5,
            "keypoints": [1, 2, 1] * 2,
        },
    ],
    "categories": [{"id": 3, "name": "car"}],
}


def test_whole_files() -> None:
    check_coco(CONTENT, "x", keypoints=2)
    content = copy.deepcopy(CONTENT)
    segments = content["annotations"]
    content["annotations"] = [{"image_id": 2, "file_name": "b.png", "segments_info": segments}]
    check_coco(content, "x", panoptic=True)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (None, "annotation 0 has no 'segments_info'"),
        ([5], "annotation 0 has no 'id'"),
        ([{"id": 1, "category_id": 3, "area": 3}], "annotation 0 has no 'bbox'"),
    ],
)
def test_segments(segments: Any, message: str) -> None:
    content = {**CONTENT, "annotations": [{"image_id": 2, "segments_info": segments}]}
    with pytest.raises(UserError, match=message):
        check_coco(content, "x", panoptic=True)


def edit(*path: Any, value: Any = None, drop: bool = False) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        if drop:
            del content[path[-1]]
        else:
            content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit("annotations", 1, "bbox", drop=True), "annotation 1 has no 'bbox'"),
        (edit("annotations", 1, "area", drop=True), "annotation 1 has no 'area'"),
        (edit("annotations", 0, "bbox", value=[1, 2, 3]), "annotation 0 has a senseless 'bbox'"),
        (edit("annotations", 0, "bbox", value=[1, 2, 3, "4"]), "has a senseless 'bbox'"),
        (edit("annotations", 0, "bbox", value=[1, 2, 3, None]), "has a senseless 'bbox'"),
        (edit("annotations", 0, "bbox", value=[1, 2, 3, float("nan")]), "has a senseless 'bbox'"),
        (edit("annotations", 0, "area", value="12"), "has a senseless 'area'"),
        (edit("annotations", 0, "image_id", value=9), "has a senseless 'image_id'"),
        (edit("annotations", 0, "category_id", drop=True), "has no 'category_id'"),
        (edit("annotations", 0, "category_id", value=[3]), "has a senseless 'category_id'"),
        (edit("annotations", 1, "keypoints", value=[1, 2]), "has a senseless 'keypoints'"),
        (edit("annotations", 0, value=7), "annotation 0 has no 'image_id'"),
        (edit("annotations", drop=True), "has no list of annotations"),
        (edit("categories", value={}), "has no list of categories"),
        (edit("categories", 0, "name", value=4), "category 0 has a senseless 'name'"),
        (edit("images", 1, "id", value=1), "two images have one id"),
        (edit("images", 1, "height", drop=True), "image 1 has no 'height'"),
        (edit("images", 1, "width", value=0), "image 1 has a senseless 'width'"),
        (edit("images", 1, "file_name", value=None), "'file_name' of image 1 is null"),
        (edit("images", value=None), "'images' is null, not a list"),
        (edit("images", value=[]), "has no images"),
    ],
)
def test_what_a_dataset_would_trip_over(change: Callable[[Any], None], message: str) -> None:
    content = copy.deepcopy(CONTENT)
    change(content)
    with pytest.raises(UserError, match=message) as caught:
        check_coco(content, "annotations x.json", keypoints=2)
    assert str(caught.value).startswith("annotations x.json")


@pytest.mark.parametrize("content", [None, 5, [], "text", {}])
def test_what_is_no_coco_file(content: Any) -> None:
    with pytest.raises(UserError, match="'images' is null, not a list"):
        check_coco(content, "annotations x.json")


def test_the_files_that_preparation_writes(mini_root: Path) -> None:
    for task in ("det", "ins_seg", "pose", "pan_seg"):
        path = mini_root / "jsons" / f"{task}_val_cocofmt.json"
        content = json.loads(path.read_text())
        keypoints = 18 if task == "pose" else None
        check_coco(content, str(path), panoptic=task == "pan_seg", keypoints=keypoints)
