import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bdd100k.label.to_rle import insseg_to_rle
from PIL import Image
from scalabel.eval.utils import check_overlap_frame
from scalabel.label.typing import Category

from bdd100k_models.frames.instance import (
    MAX_SEGMENTS,
    CroppedMask,
    InstanceOutputs,
    instance_outputs,
)
from bdd100k_models.frames.rle import decode

CATEGORIES = ("pedestrian", "car")


def outputs(
    scores: list[float],
    labels: list[int],
    masks: list[CroppedMask],
    height: int = 3,
    width: int = 4,
) -> InstanceOutputs:
    boxes = np.array(
        [
            (mask.x, mask.y, mask.x + mask.crop.shape[1], mask.y + mask.crop.shape[0])
            for mask in masks
        ]
    )
    return instance_outputs(
        boxes, np.array(scores), np.array(labels), masks, height, width, CATEGORIES
    )


def ones(height: int, width: int, x: int, y: int) -> CroppedMask:
    return CroppedMask(np.ones((height, width), dtype=bool), x, y)


def random_instances(seed: int, count: int, height: int, width: int) -> InstanceOutputs:
    random = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        h, w = (int(random.integers(0, size + 1)) for size in (height, width))
        crop = random.random((h, w)) < 0.6
        masks.append(
            CroppedMask(
                crop,
                int(random.integers(0, width - w + 1)),
                int(random.integers(0, height - h + 1)),
            )
        )
    scores = (random.integers(1, 9, count) / 10).tolist()
    return outputs(scores, random.integers(0, 2, count).tolist(), masks, height, width)


def test_exact_result_of_two_overlapping_instances() -> None:
    result = outputs([0.25, 0.5], [0, 1], [ones(3, 3, 0, 0), ones(2, 2, 1, 1)])
    assert json.dumps(result.det) == (
        '[{"category": "pedestrian", "score": 0.25, '
        '"box2d": {"x1": 0.0, "y1": 0.0, "x2": 2.0, "y2": 2.0}}, '
        '{"category": "car", "score": 0.5, '
        '"box2d": {"x1": 1.0, "y1": 1.0, "x2": 2.0, "y2": 2.0}}]'
    )
    assert json.dumps(result.score) == '[{"index": 1, "score": 0.5}, {"index": 2, "score": 0.25}]'
    assert json.dumps(result.rle) == (
        '[{"category": "car", "score": 0.5, "rle": {"counts": "42102", "size": [3, 4]}}, '
        '{"category": "pedestrian", "score": 0.25, "rle": {"counts": "042M3", "size": [3, 4]}}]'
    )
    assert result.bitmask.dtype == np.uint8
    assert result.bitmask[..., 0].tolist() == [[1, 1, 1, 0], [1, 2, 2, 0], [1, 2, 2, 0]]
    assert not result.bitmask[..., 1:3].any()
    assert result.bitmask[..., 3].tolist() == [[2, 2, 2, 0], [2, 1, 1, 0], [2, 1, 1, 0]]


def test_no_instances_give_empty_lists_and_a_zero_bitmask() -> None:
    result = instance_outputs(
        np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int), [], 5, 7, CATEGORIES
    )
    assert (result.det, result.score, result.rle) == ([], [], [])
    assert result.bitmask.shape == (5, 7, 4)
    assert not result.bitmask.any()


def test_hidden_and_empty_instances_take_no_id() -> None:
    nothing = CroppedMask(np.zeros((2, 2), dtype=bool), 0, 0)
    result = outputs(
        [0.9, 0.8, 0.7, 0.6],
        [0, 1, 0, 1],
        [nothing, ones(3, 2, 0, 0), ones(2, 1, 1, 1), ones(1, 4, 0, 0)],
    )
    assert len(result.det) == 4
    assert result.score == [{"index": 1, "score": 0.8}, {"index": 2, "score": 0.6}]
    assert [label["category"] for label in result.rle] == ["car", "car"]


def test_of_equal_scores_the_first_is_on_top() -> None:
    result = outputs([0.5, 0.5], [1, 0], [ones(2, 2, 0, 0), ones(3, 4, 0, 0)])
    assert result.bitmask[0, 0].tolist() == [2, 0, 0, 1]
    assert result.bitmask[2, 3].tolist() == [1, 0, 0, 2]


def test_the_best_segments_are_kept_up_to_the_evaluators_limit() -> None:
    count = MAX_SEGMENTS + 20
    scores = [(index + 1) / 1000 for index in range(count)]
    masks = [ones(1, 1, index, 0) for index in range(count)]
    result = outputs(scores, [0] * count, masks, 1, count)
    assert len(result.det) == count
    assert [label["score"] for label in result.score] == scores[:19:-1]
    assert [label["index"] for label in result.score] == list(range(1, MAX_SEGMENTS + 1))
    assert not result.bitmask[0, :20].any()


@pytest.mark.parametrize("seed", range(8))
def test_official_tools_read_both_forms_alike(
    tmp_path: Path,
    official_load: Callable,
    seed: int,
) -> None:
    result = random_instances(seed, 12, 9 + seed, 17 - seed)
    Image.fromarray(result.bitmask).save(tmp_path / "a.png")
    (scored,) = official_load([{"name": "a.jpg", "labels": result.score}])
    (frame,) = official_load([{"name": "a.jpg", "labels": result.rle}])
    converted = insseg_to_rle(
        scored,
        str(tmp_path),
        [Category(name=name) for name in CATEGORIES],
    )
    assert len(frame.labels) > 2
    assert [(label.category, label.score, label.rle) for label in converted.labels] == [
        (label.category, label.score, label.rle) for label in frame.labels
    ]
    assert not check_overlap_frame(frame, list(CATEGORIES))


def test_visible_parts_are_what_a_painter_leaves() -> None:
    random = np.random.default_rng(3)
    masks = [
        CroppedMask(
            random.random((6, 5)) < 0.7, int(random.integers(0, 8)), int(random.integers(0, 5))
        )
        for _ in range(9)
    ]
    scores = (random.permutation(9) + 1) / 10
    result = outputs(scores.tolist(), [0] * 9, masks, 11, 13)
    painted = np.zeros((11, 13))
    for position in np.argsort(scores):
        mask = masks[position]
        painted[mask.y : mask.y + 6, mask.x : mask.x + 5][mask.crop] = scores[position]
    for label in result.rle:
        assert np.array_equal(decode(label["rle"]), painted == label["score"])


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, -1), (3, 0), (0, 2), (9, 9)])
def test_masks_that_leave_the_image_are_refused(x: int, y: int) -> None:
    with pytest.raises(ValueError, match=rf"at x={x}, y={y} leaves the image of 3x4"):
        outputs([0.5], [0], [ones(2, 2, x, y)])


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="1 boxes, 0 masks"):
        instance_outputs(
            np.zeros((1, 4)), np.zeros(1), np.zeros(1, dtype=int), [], 2, 2, CATEGORIES
        )
