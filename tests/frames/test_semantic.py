import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bdd100k.label.to_rle import semseg_to_rle
from PIL import Image
from scalabel.eval.sem_seg import frame_to_mask
from scalabel.label.typing import Category
from scalabel.label.typing import Frame as ScalabelFrame

from bdd100k_models.frames.semantic import semantic_labels, semantic_mask

CATEGORIES = ("road", "sidewalk", "sky")


def test_exact_json() -> None:
    segmentation = np.array([[2, 2, 255], [0, 0, 0]])
    assert json.dumps(semantic_labels(segmentation, CATEGORIES)) == (
        '[{"category": "road", "rle": {"counts": "111000", "size": [2, 3]}}, '
        '{"category": "sky", "rle": {"counts": "01102", "size": [2, 3]}}]'
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (20, 31)])
def test_official_tools_read_both_forms_alike(
    tmp_path: Path,
    official_load: Callable,
    dtype: type,
    shape: tuple[int, int],
) -> None:
    segmentation = np.random.default_rng(0).choice([0, 2, 255], shape).astype(dtype)
    labels = semantic_labels(segmentation, CATEGORIES)
    Image.fromarray(semantic_mask(segmentation)).save(tmp_path / "a.png")

    (frame,) = official_load([{"name": "a.jpg", "labels": labels}])
    assert np.array_equal(
        frame_to_mask(frame, {name: index for index, name in enumerate(CATEGORIES)}), segmentation
    )
    converted = semseg_to_rle(
        ScalabelFrame(name="a.jpg", labels=[]),
        str(tmp_path),
        [Category(name=name) for name in CATEGORIES],
    )
    assert [(label.category, label.rle) for label in converted.labels] == [
        (label.category, label.rle) for label in frame.labels
    ]


def test_one_class_everywhere_and_nothing_anywhere() -> None:
    assert semantic_labels(np.full((3, 2), 1), CATEGORIES) == [
        {"category": "sidewalk", "rle": {"counts": "06", "size": [3, 2]}}
    ]
    assert semantic_labels(np.full((3, 2), 255), CATEGORIES) == []
    assert semantic_labels(np.full((3, 2), 9), CATEGORIES, ignore=9) == []


def test_mask_keeps_values_and_size() -> None:
    mask = semantic_mask(np.array([[0, 18, 255]], dtype=np.int64))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 18, 255]]


@pytest.mark.parametrize("value", [3, 254, -1])
def test_unknown_class_indices_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=rf"class indices \[{value}\] are outside of 3 categories"):
        semantic_labels(np.array([[0, value]]), CATEGORIES)


@pytest.mark.parametrize("value", [256, -1])
def test_mask_refuses_values_that_do_not_fit(value: int) -> None:
    with pytest.raises(ValueError, match="a class index does not fit into 8 bits"):
        semantic_mask(np.array([[value]]))


def test_mask_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"shape \(H, W\), got \(4,\)"):
        semantic_mask(np.zeros(4, dtype=np.uint8))
