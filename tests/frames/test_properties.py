"""What holds for any array and any string: converters and run lengths beside pycocotools.

Inputs are drawn by hypothesis, which narrows a failing one down to the smallest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from pycocotools import mask as coco_mask

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra import numpy as arrays  # noqa: E402

from bdd100k_models.errors import UserError  # noqa: E402
from bdd100k_models.frames import rle  # noqa: E402
from bdd100k_models.frames.detection import detection_labels  # noqa: E402
from bdd100k_models.frames.instance import CroppedMask, instance_outputs  # noqa: E402
from bdd100k_models.frames.panoptic import panoptic_bitmask, panoptic_labels  # noqa: E402
from bdd100k_models.frames.reading import check_labels  # noqa: E402
from bdd100k_models.frames.semantic import semantic_labels, semantic_mask  # noqa: E402

# The same examples each time: a test that fails does so for everybody.
settings.register_profile("zoo", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("zoo")

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = arrays.arrays(np.bool_, SHAPES)
NAMES = ("a", "b", "c", "d")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def theirs(mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": encoded["counts"].decode("ascii"), "size": list(encoded["size"])}


@given(MASKS)
def test_masks_are_encoded_and_decoded_as_by_pycocotools(mask: np.ndarray) -> None:
    encoded = rle.encode_mask(mask)
    assert encoded == theirs(mask)
    assert np.array_equal(coco_mask.decode(dict(encoded)), mask)
    assert np.array_equal(rle.decode(theirs(mask)), mask)  # type: ignore[arg-type]
    assert rle.check(encoded) == mask.shape
    assert rle.run_lengths(encoded).sum() == mask.size
    assert coco_mask.area(dict(encoded)) == mask.sum()


@given(arrays.arrays(np.int64, SHAPES, elements=st.integers(-3, 300)))
def test_every_class_of_a_map_is_encoded_as_alone(values: np.ndarray) -> None:
    encoded = rle.encode_classes(values)
    assert list(encoded) == sorted(np.unique(values).tolist())
    assert all(mask == theirs(values == value) for value, mask in encoded.items())


@given(MASKS, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_crop_is_encoded_as_its_whole_picture(
    crop: np.ndarray, x: int, y: int, right: int, below: int
) -> None:
    whole = np.zeros((y + crop.shape[0] + below, x + crop.shape[1] + right), dtype=np.bool_)
    whole[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    assert rle.encode_crop(crop, x, y, *whole.shape) == theirs(whole)


@given(st.text(alphabet=[chr(code) for code in range(40, 120)], max_size=12), SHAPES)
def test_a_string_is_refused_or_fills_the_picture(counts: str, size: tuple[int, int]) -> None:
    mask = {"counts": counts, "size": list(size)}
    try:
        rle.check(mask)
    except ValueError:
        return
    decoded = rle.decode(mask)  # type: ignore[arg-type]
    assert decoded.shape == size
    assert np.array_equal(coco_mask.decode(dict(mask)), decoded)


@given(JSON)
def test_nothing_in_the_place_of_a_mask_is_more_than_refused(mask: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rle.check(mask)


@given(JSON, st.sampled_from(["category", "score", "attributes", "box2d", "rle", "graph"]))
def test_nothing_in_a_label_is_more_than_refused(value: Any, key: str) -> None:
    try:
        check_labels([{"name": "a", "labels": [{key: value}]}], "frames")
    except UserError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("frames: label 0 of frame 'a': ")


@given(arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, 3, 255])))
def test_class_maps_come_back_from_their_labels(values: np.ndarray) -> None:
    back = np.full(values.shape, 255, dtype=np.uint8)
    for label in semantic_labels(values, NAMES):
        back[rle.decode(label["rle"])] = NAMES.index(label["category"])
    assert np.array_equal(back, values)
    assert np.array_equal(semantic_mask(values), values)


SEGMENTS = [index + 1000 * number for index in range(4) for number in (0, 1, 2, 70)] + [4]


@given(arrays.arrays(np.int64, SHAPES, elements=st.sampled_from(SEGMENTS)))
def test_panoptic_maps_come_back_from_labels_and_bitmasks(values: np.ndarray) -> None:
    things, stuff = NAMES[:2], NAMES[2:]
    labels = panoptic_labels(values, things, stuff)
    back = np.full(values.shape, 4)
    for label in labels:
        back[rle.decode(label["rle"])] = int(label["id"])
        assert label["category"] == NAMES[int(label["id"]) % 1000]
    assert np.array_equal(back, np.where(values % 1000 == 4, 4, values))
    bitmask = panoptic_bitmask(values, things, stuff)
    if (values % 1000 == 4).all():
        return
    # Category ids: stuff from 1, then things; 0 is nothing.
    category = np.array([3, 4, 1, 2, 0])[values % 1000]
    assert np.array_equal(bitmask[..., 0], category)


FINITE = st.floats(-1e4, 1e4, width=32)


@given(st.integers(0, 6).flatmap(lambda n: arrays.arrays(np.float32, (n, 4), elements=FINITE)))
def test_boxes_come_back_from_their_labels(boxes: np.ndarray) -> None:
    count = len(boxes)
    labels = detection_labels(boxes, np.full(count, 0.5), np.zeros(count, np.int64), NAMES)
    read = orjson.loads(orjson.dumps(labels))
    corners = [[label["box2d"][key] for key in ("x1", "y1", "x2", "y2")] for label in read]
    expected = boxes.astype(np.float64)
    expected[:, 2:] -= 1
    assert np.allclose(np.reshape(corners, (-1, 4)), expected, rtol=0, atol=1e-9)


@given(st.data())
def test_instances_cover_what_their_masks_cover(data: st.DataObject) -> None:
    height, width = 12, 17
    count = data.draw(st.integers(0, 5))
    masks, whole = [], np.zeros((height, width), dtype=np.bool_)
    for _ in range(count):
        x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        sides = (data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x)))
        crop = data.draw(arrays.arrays(np.bool_, sides))
        masks.append(CroppedMask(crop, x, y))
        whole[y : y + sides[0], x : x + sides[1]] |= crop
    scores = data.draw(
        arrays.arrays(np.float32, count, elements=st.sampled_from([0.25, 0.5, 0.75]))
    )
    boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (count, 1))
    found = instance_outputs(boxes, scores, np.zeros(count, np.int64), masks, height, width, NAMES)
    assert np.array_equal(found.bitmask[..., 0] > 0, whole)
    shown = [rle.decode(label["rle"]) for label in found.rle]
    assert np.array_equal(np.sum([np.zeros_like(whole), *shown], axis=0), whole)  # none overlap
    assert len(found.det) == count
    assert len(found.score) == len(found.rle)
