"""The files of the mini dataset, and what official code makes of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from bdd100k.common.utils import load_bdd100k_config
from bdd100k.eval.ins_seg import evaluate_ins_seg as evaluate_bitmasks
from bdd100k.eval.pan_seg import evaluate_pan_seg as evaluate_panoptic_bitmasks
from bdd100k.eval.seg import evaluate_drivable, evaluate_sem_seg
from bdd100k.label.to_scalabel import bdd100k_to_scalabel
from scalabel.eval.detect import evaluate_det
from scalabel.eval.ins_seg import evaluate_ins_seg
from scalabel.eval.pan_seg import evaluate_pan_seg
from scalabel.eval.pose import evaluate_pose
from scalabel.eval.sem_seg import evaluate_sem_seg as evaluate_rle_maps
from scalabel.label.io import load
from scalabel.label.typing import Frame

from bdd100k_models.data.mini.dataset import MARKER, MiniOptions, build
from bdd100k_models.errors import UserError
from bdd100k_models.zoo.classes import INS_SEG

TINY = MiniOptions(train=2, val=1, test=1, seed=3)


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_same_options_give_the_same_bytes_with_one_process_and_two(tmp_path: Path) -> None:
    build(tmp_path / "one", TINY)
    build(tmp_path / "two", TINY, workers=2)
    digests = _digests(tmp_path / "one")
    assert digests == _digests(tmp_path / "two")
    assert len(digests) == 1 + 8 + 3 * 6 + 2 * 6


def test_a_new_build_replaces_the_old_one(tmp_path: Path) -> None:
    build(tmp_path, TINY)
    (tmp_path / "jsons").mkdir()
    build(tmp_path, MiniOptions(train=1, val=0, test=0))
    assert sorted(p.name for p in (tmp_path / "images/100k/train").iterdir()) == ["train00000.jpg"]
    assert not (tmp_path / "jsons").exists()
    assert json.loads((tmp_path / MARKER).read_text())["train"] == 1


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="was not made by this tool"):
        build(tmp_path, TINY)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize(
    ("options", "workers", "message"),
    [
        (MiniOptions(train=-1), 1, "must not be negative"),
        (MiniOptions(seed=-1), 1, "must not be negative"),
        (TINY, 0, "--workers must be 1 or more, got 0"),
    ],
)
def test_senseless_numbers_are_refused(
    tmp_path: Path, options: MiniOptions, workers: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(tmp_path / "out", options, workers)
    assert not (tmp_path / "out").exists()


def test_both_picture_sets_have_the_same_pictures(mini_root: Path) -> None:
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        for kind in ("100k", "10k"):
            paths = sorted((mini_root / "images" / kind / split).iterdir())
            assert [p.name for p in paths] == [f"{split}{i:05d}.jpg" for i in range(count)]
            assert cv2.imread(str(paths[0])).shape == (720, 1280, 3)


def test_colour_maps_have_the_toolkits_colours(mini_root: Path) -> None:
    folder = mini_root / "labels/sem_seg"
    mask = cv2.imread(str(folder / "masks/val/val00000.png"), cv2.IMREAD_UNCHANGED)
    colours = cv2.imread(str(folder / "colormaps/val/val00000.png"))[..., ::-1]
    np.testing.assert_array_equal(colours[mask == 0][0], (128, 64, 128))
    np.testing.assert_array_equal(colours[mask == 10][0], (70, 130, 180))
    assert (colours[mask == 255] == 0).all()


def _truth(path: Path, task: str) -> tuple[list[Frame], list[Frame]]:
    """The frames of a label file, and the same once more as predictions with scores."""
    config = load_bdd100k_config(task)
    gts = bdd100k_to_scalabel(load(str(path)).frames, config)
    preds = bdd100k_to_scalabel(load(str(path)).frames, config)
    for frame in preds:
        for entry in frame.labels or ():
            entry.score = 0.9
            for node in entry.graph.nodes if entry.graph else ():
                node.score = 1.0
    return gts, preds


@pytest.mark.parametrize(
    ("task", "path", "evaluate"),
    [
        ("det", "labels/det_20/det_val.json", evaluate_det),
        ("pose", "labels/pose_21/pose_val.json", evaluate_pose),
        ("ins_seg", "labels/ins_seg/rles/ins_seg_val.json", evaluate_ins_seg),
    ],
)
def test_ground_truth_scores_perfectly_against_itself(
    mini_root: Path, task: str, path: str, evaluate: object
) -> None:
    gts, preds = _truth(mini_root / path, task)
    result = evaluate(gts, preds, load_bdd100k_config(task).scalabel, nproc=1)  # type: ignore[operator]
    assert result.AP50[-1]["OVERALL"] == pytest.approx(100.0)
    assert result.AP[-1]["OVERALL"] == pytest.approx(100.0)


@pytest.mark.parametrize("task", ["sem_seg", "drivable"])
def test_maps_as_run_lengths_score_perfectly(mini_root: Path, task: str) -> None:
    gts, preds = _truth(mini_root / f"labels/{task}/rles/{task}_val.json", task)
    config = load_bdd100k_config(task).scalabel
    result = evaluate_rle_maps(gts, preds, config, nproc=1)
    assert result.IoU[-1]["AVERAGE"] == pytest.approx(100.0)


def test_panoptic_run_lengths_score_perfectly(mini_root: Path) -> None:
    gts, preds = _truth(mini_root / "labels/pan_seg/rles/pan_seg_val.json", "pan_seg")
    config = load_bdd100k_config("pan_seg").scalabel
    result = evaluate_pan_seg(gts, preds, config, nproc=1)
    assert result.PQ[-1]["OVERALL"] == pytest.approx(100.0)


def test_masks_and_bitmasks_score_perfectly(mini_root: Path, tmp_path: Path) -> None:
    def paths(folder: str) -> list[str]:
        return sorted(map(str, (mini_root / "labels" / folder / "val").iterdir()))

    for folder, evaluate in (
        ("sem_seg/masks", evaluate_sem_seg),
        ("drivable/masks", evaluate_drivable),
    ):
        found = paths(folder)
        result = evaluate(found, found, nproc=1, with_logs=False)
        assert result.IoU[-1]["AVERAGE"] == pytest.approx(100.0)
    found = paths("pan_seg/bitmasks")
    panoptic = evaluate_panoptic_bitmasks(found, found, nproc=1, with_logs=False)
    assert panoptic.PQ[-1]["OVERALL"] == pytest.approx(100.0)
    found = paths("ins_seg/bitmasks")
    scores = []
    for path in found:
        bitmask = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        numbers = bitmask[..., 0].astype(int) * 256 + bitmask[..., 3]
        assert set(np.unique(bitmask[..., 2])) <= set(range(len(INS_SEG) + 1))
        labels = [{"index": int(n), "score": 0.9} for n in np.unique(numbers) if n]
        scores.append({"name": Path(path).with_suffix(".jpg").name, "labels": labels})
    score_file = tmp_path / "score.json"
    score_file.write_text(json.dumps(scores))
    config = load_bdd100k_config("ins_seg").scalabel
    result = evaluate_bitmasks(found, found, str(score_file), config, nproc=1, with_logs=False)
    assert result.AP[-1]["OVERALL"] == pytest.approx(100.0)
