"""Kinds of errors: each planted one in its number, and figures as tidecv has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from bdd100k_models.analysis.errors import KINDS, Errors, find_errors

REFERENCE = json.loads((Path(__file__).parent / "data" / "tidecv.json").read_text())
NAMES = ("car", "bus", "truck", "rider")


def item(category: int, box: list[float], **more: Any) -> dict[str, Any]:
    return {
        "category_id": category,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
        **more,
    }


def rectangle(box: list[float]) -> dict[str, Any]:
    """The mask of a box in a picture of 620x560 pixels."""
    x, y, width, height = (round(value) for value in box)
    mask = np.zeros((560, 620), dtype=np.uint8, order="F")
    mask[max(y, 0) : max(y + height, 1), max(x, 0) : max(x + width, 1)] = 1
    return dict(coco_mask.encode(mask))


@pytest.mark.parametrize("case", REFERENCE["cases"])
def test_equals_tidecv(case: dict[str, Any]) -> None:
    masks = case["geometry"] == "segmentation"

    def made(category: int, box: list[float], **more: Any) -> dict[str, Any]:
        return item(category, box, **({"segmentation": rectangle(box)} if masks else {}), **more)

    truth = [[made(c, box, iscrowd=crowd) for c, crowd, box in own] for own in case["truth"]]
    predicted = [[made(c, box, score=score) for c, score, box in own] for own in case["predicted"]]
    found = find_errors(NAMES, truth, predicted, case["geometry"])
    assert found.ap() == pytest.approx(case["ap"], abs=1e-9)
    assert {kind: found.count(kind) for kind in KINDS} == case["count"]
    assert {kind: found.cost(kind) for kind in KINDS} == pytest.approx(case["cost"], abs=1e-9)
    assert found.cost_of_false_alarms() == pytest.approx(case["false_alarms"], abs=1e-9)
    assert found.cost_of_not_found() == pytest.approx(case["not_found"], abs=1e-9)


BOX = [100.0, 100.0, 100.0, 100.0]
FAR = [400.0, 400.0, 50.0, 50.0]


def one(*predicted: dict[str, Any], truth: tuple[dict[str, Any], ...] = ()) -> Errors:
    objects = truth or (item(1, BOX),)
    return find_errors(NAMES, [list(objects)], [list(predicted)], "bbox")


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ([item(1, BOX, score=0.9)], {}),
        ([item(2, BOX, score=0.9)], {"class": 1}),
        ([item(1, [160.0, 100.0, 100.0, 100.0], score=0.9)], {"place": 1}),
        ([item(2, [160.0, 100.0, 100.0, 100.0], score=0.9)], {"both": 1, "missed": 1}),
        ([item(1, BOX, score=0.9), item(1, BOX, score=0.5)], {"duplicate": 1}),
        ([item(1, BOX, score=0.5), item(1, FAR, score=0.9)], {"background": 1}),
        ([], {"missed": 1}),
    ],
)
def test_each_kind(predicted: list[dict[str, Any]], expected: dict[str, int]) -> None:
    found = one(*predicted)
    counts = {kind: found.count(kind) for kind in KINDS if found.count(kind)}
    assert counts == expected


def test_costs_are_what_mending_gains() -> None:
    # A false alarm above the only hit: precision 1/2 at every recall.
    found = one(item(1, BOX, score=0.5), item(1, FAR, score=0.9))
    assert found.ap() == pytest.approx(50)
    assert found.cost("background") == pytest.approx(50)
    assert found.cost("background", lambda error: error.area > 50**2) == 0
    assert found.cost("missed") == 0


def test_of_two_errors_about_one_object_the_better_is_mended() -> None:
    found = one(item(2, BOX, score=0.9), item(1, [160.0, 100.0, 100.0, 100.0], score=0.5))
    assert [error.mended for error in sorted(found.errors, key=lambda error: -error.score)] == [
        0,
        None,
    ]
    assert found.ap() == 0 and found.cost("class") == pytest.approx(100)


def test_predictions_in_areas_to_ignore_are_no_errors() -> None:
    crowd = item(1, [380.0, 380.0, 100.0, 100.0], iscrowd=1)
    found = one(item(1, BOX, score=0.5), item(1, FAR, score=0.9), truth=(item(1, BOX), crowd))
    assert (found.ap(), found.count("background")) == (pytest.approx(100), 0)


def test_groups_hold_their_pictures_only() -> None:
    both = find_errors(
        NAMES, [[item(1, BOX)], [item(1, BOX)]], [[item(1, BOX, score=0.9)], []], "bbox"
    )
    assert both.of_pictures(np.array([True, False])).ap() == pytest.approx(100)
    second = both.of_pictures(np.array([False, True]))
    assert (second.ap(), second.count("missed")) == (0, 1)


def test_nothing_to_find_has_no_ap() -> None:
    found = find_errors(NAMES, [[]], [[item(1, BOX, score=0.9)]], "bbox")
    assert np.isnan(found.ap())
    assert np.isnan(found.cost("background"))
    assert found.count("background") == 1
