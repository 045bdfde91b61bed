from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import TASKS, ground_truth_path


@pytest.mark.parametrize(
    ("task", "form", "expected"),
    [
        ("tagging", "json", "labels/det_20/det_val.json"),
        ("det", "json", "labels/det_20/det_val.json"),
        ("pose", "json", "labels/pose_21/pose_val.json"),
        ("ins_seg", "json", "labels/ins_seg/rles/ins_seg_val.json"),
        ("ins_seg", "masks", "labels/ins_seg/bitmasks/val"),
        ("sem_seg", "json", "labels/sem_seg/rles/sem_seg_val.json"),
        ("sem_seg", "masks", "labels/sem_seg/masks/val"),
        ("drivable", "json", "labels/drivable/rles/drivable_val.json"),
        ("drivable", "masks", "labels/drivable/masks/val"),
        ("pan_seg", "json", "labels/pan_seg/rles/pan_seg_val.json"),
        ("pan_seg", "masks", "labels/pan_seg/bitmasks/val"),
        ("mot", "json", "labels/box_track_20/val"),
        ("mot", "json", "labels/box_track_20/bdd_box_track_val_cocofmt.json"),
        ("mots", "json", "labels/seg_track_20/rles/val"),
    ],
)
def test_official_layout(tmp_path: Path, task: str, form: Any, expected: str) -> None:
    path = tmp_path / expected
    path.parent.mkdir(parents=True)
    path.touch()
    assert ground_truth_path(task, tmp_path, form=form) == path


def test_every_task_has_a_place() -> None:
    pictures = ("tagging", "det", "ins_seg", "sem_seg", "drivable", "pan_seg", "pose")
    assert (*pictures, "mot", "mots") == TASKS


def test_tagging_takes_the_old_file_where_the_new_one_is_missing(tmp_path: Path) -> None:
    old = tmp_path / "labels" / "bdd100k_labels_images_train.json"
    old.parent.mkdir()
    old.touch()
    assert ground_truth_path("tagging", tmp_path, "train") == old
    new = tmp_path / "labels" / "det_20" / "det_train.json"
    new.parent.mkdir()
    new.touch()
    assert ground_truth_path("tagging", tmp_path, "train") == new


@pytest.mark.parametrize(
    ("task", "split", "form", "message"),
    [
        ("det", "val", "json", r"looked for .*/labels/det_20/det_val.json; .*prepare_data.py"),
        ("tagging", "val", "json", r"det_val.json and .*bdd100k_labels_images_val.json"),
        ("det", "test", "json", r"no public labels.*tools/pack_submission.py"),
        ("det", "dev", "json", r"no split 'dev'; one of train, val, test"),
        ("pose", "val", "masks", r"pose has no masks"),
        ("mot", "val", "masks", r"mot has no masks"),
        ("lane", "val", "json", r"no evaluator for task 'lane'"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path, task: str, split: str, form: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ground_truth_path(task, tmp_path, split, form)
