"""Pairs of frames: which, and what the two share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import bdd100k_models  # noqa: F401
from bdd100k_models.engine.sampling import seeded
from bdd100k_models.errors import UserError
from bdd100k_models.zoo import classes

STEPS = [
    {"type": "LoadImageFromFile"},
    {"type": "LoadAnnotations", "with_bbox": True},
    {"type": "Resize", "img_scale": (64, 48), "keep_ratio": True},
    {"type": "RandomFlip", "flip_ratio": 0.5},
    {"type": "Normalize", "mean": [0, 0, 0], "std": [1, 1, 1], "to_rgb": True},
    {"type": "Pad", "size_divisor": 32},
    {"type": "DefaultFormatBundle"},
    {"type": "Collect", "keys": ["img", "gt_bboxes", "gt_labels"]},
]
#: Identities in each of ten frames: 3 is in every second one, 9 in one alone.
THINGS = [[3, 5] if i % 2 == 0 else [5] for i in range(9)] + [[9]]


@pytest.fixture
def coco(tmp_path: Path) -> dict[str, Any]:
    """A video of ten frames, 64 x 48; the brightness of a frame is its number."""
    images, annotations = [], []
    (tmp_path / "v").mkdir()
    for number, things in enumerate(THINGS):
        name = f"v/v-{number + 1:07d}.png"
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), number, np.uint8))
        image = {"id": number + 1, "video_id": 1, "frame_id": number, "file_name": name}
        images.append({**image, "width": 64, "height": 48})
        for thing in things:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": 3,
                    "instance_id": thing,
                    "bbox": [thing, 10, 8, 8],
                    "area": 64,
                    "iscrowd": 0,
                    "ignore": 0,
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(classes.TRACKED, start=1)]
    return {
        "videos": [{"id": 1, "name": "v"}],
        "categories": categories,
        "images": images,
        "annotations": annotations,
    }


def build(folder: Path, coco: dict[str, Any], **options: Any) -> Any:
    from bdd100k_models.tasks.mot_datasets import BDD100KMOTDataset

    file = folder / "annotations.json"
    file.write_text(json.dumps(coco), encoding="utf-8")
    options = {"pipeline": STEPS, **options}
    return BDD100KMOTDataset(str(file), img_prefix=str(folder), **options)


def number_of(image: Any) -> int:
    return int(image.data[0, 20, 20])


def test_references_are_near_and_shared_steps_agree(tmp_path: Path, coco: dict[str, Any]) -> None:
    dataset = build(tmp_path, coco)
    assert len(dataset) == 10
    seen, flips = set(), set()
    for seed in range(60):
        with seeded(seed):
            sample = dataset[4]
        other = number_of(sample["ref_img"])
        seen.add(other)
        things = THINGS[other]
        matches = sample["gt_match_indices"].data.tolist()
        assert matches == [things.index(thing) if thing in things else -1 for thing in (3, 5)]
        metas = sample["img_metas"].data, sample["ref_img_metas"].data
        assert metas[0]["flip"] == metas[1]["flip"]
        flips.add(metas[0]["flip"])
        left = 64 - 5 - 8 if metas[0]["flip"] else 5
        np.testing.assert_allclose(sample["ref_gt_bboxes"].data[things.index(5), 0], left)
    assert seen == {1, 2, 3, 5, 6, 7}
    assert flips == {True, False}


def test_what_stays_nowhere_in_sight_is_its_own_reference(
    tmp_path: Path, coco: dict[str, Any]
) -> None:
    sample = build(tmp_path, coco)[9]
    assert number_of(sample["ref_img"]) == 9
    assert sample["gt_match_indices"].data.tolist() == [0]


def test_pictures_are_their_own_references(tmp_path: Path, coco: dict[str, Any]) -> None:
    for annotation in coco["annotations"]:
        del annotation["instance_id"]
    sample = build(tmp_path, coco, reference_frames=0)[4]
    assert number_of(sample["ref_img"]) == number_of(sample["img"]) == 4
    assert sample["gt_match_indices"].data.tolist() == [0, 1]


def test_frames_without_a_box_to_learn_from_are_left_out(
    tmp_path: Path, coco: dict[str, Any]
) -> None:
    for annotation in coco["annotations"]:
        annotation["iscrowd"] = int(annotation["image_id"] in (2, 4))
    dataset = build(tmp_path, coco)
    assert [info["frame_id"] for info in dataset.data_infos] == [0, 2, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(("part", "key"), [("images", "frame_id"), ("annotations", "instance_id")])
def test_files_that_are_no_videos_are_told(
    part: str, key: str, tmp_path: Path, coco: dict[str, Any]
) -> None:
    del coco[part][0][key]
    with pytest.raises(UserError, match=f"has a {key}; run tools/prepare_data.py"):
        build(tmp_path, coco)


def test_steps_that_drop_boxes_are_told(tmp_path: Path, coco: dict[str, Any]) -> None:
    crop = {"type": "RandomCrop", "crop_size": (48, 11), "allow_negative_crop": True}
    dataset = build(tmp_path, coco, pipeline=[*STEPS[:3], crop, *STEPS[3:]])
    with pytest.raises(UserError, match="drops boxes"):
        for seed in range(40):
            with seeded(seed):
                dataset[4]
