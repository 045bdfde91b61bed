import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from bdd100k_models.frames.rle import (
    MAX_PIXELS,
    RLE,
    check,
    decode,
    encode_classes,
    encode_crop,
    encode_mask,
    overlap,
    run_lengths,
)


def plain_encode(mask: NDArray) -> RLE:
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": encoded["counts"].decode("ascii"), "size": list(encoded["size"])}


def random_mask(random: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    density = random.choice([0.0, 0.05, 0.5, 0.95, 1.0])
    return random.random((height, width)) < density


SIZES = [(1, 1), (1, 7), (7, 1), (2, 2), (3, 5), (13, 8), (31, 33), (64, 17)]


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        ([[0]], "1"),
        ([[1]], "01"),
        ([[0, 1], [0, 1]], "22"),
        ([[1, 0], [0, 1]], "0120"),
        ([[0, 0, 0], [0, 1, 0]], "312"),
    ],
)
def test_encode_mask_gives_column_major_counts(mask: list[list[int]], counts: str) -> None:
    assert encode_mask(np.array(mask, dtype=bool)) == {
        "counts": counts,
        "size": [len(mask), len(mask[0])],
    }


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_encode_mask_equals_pycocotools(height: int, width: int) -> None:
    random = np.random.default_rng(height * 100 + width)
    for _ in range(20):
        mask = random_mask(random, height, width)
        assert encode_mask(mask) == plain_encode(mask)


def test_long_runs_need_several_characters() -> None:
    mask = np.zeros((720, 1280), dtype=bool)
    mask[:, 900:] = True
    mask[5, 3] = True
    assert encode_mask(mask) == plain_encode(mask)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32])
def test_encode_mask_takes_any_layout_and_dtype(order: str, dtype: type) -> None:
    mask = np.random.default_rng(0).random((9, 12)) < 0.5
    array = np.array(mask * 3, dtype=dtype, order=order)
    assert encode_mask(array) == plain_encode(mask)
    assert encode_mask(array[::2, ::-3]) == plain_encode(mask[::2, ::-3])


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0)])
def test_images_without_pixels(shape: tuple[int, int]) -> None:
    assert encode_mask(np.zeros(shape, dtype=bool)) == plain_encode(np.zeros(shape))
    assert encode_classes(np.zeros(shape, dtype=np.int64)) == {}


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_encode_crop_equals_paste_and_encode(height: int, width: int) -> None:
    random = np.random.default_rng(height * 1000 + width)
    for _ in range(20):
        crop = random_mask(random, height, width)
        above, below, left, right = (int(margin) for margin in random.integers(0, 3, 4))
        image = np.pad(crop, ((above, below), (left, right)))
        assert encode_crop(crop, left, above, *image.shape) == plain_encode(image)


def test_encode_crop_of_full_height_joins_columns() -> None:
    crop = np.ones((4, 3), dtype=bool)
    assert encode_crop(crop, 1, 0, 4, 5) == {"counts": "4<4", "size": [4, 5]}


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_encode_crop_without_pixels_is_an_empty_mask(shape: tuple[int, int]) -> None:
    assert encode_crop(np.zeros(shape, dtype=bool), 1, 1, 5, 6) == plain_encode(np.zeros((5, 6)))


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, -1), (3, 0), (0, 2)])
def test_encode_crop_refuses_to_leave_the_image(x: int, y: int) -> None:
    with pytest.raises(ValueError, match=rf"crop of 3x2 at x={x}, y={y} leaves the image of 4x4"):
        encode_crop(np.ones((3, 2), dtype=bool), x, y, 4, 4)


def test_encode_classes_on_a_tiny_map() -> None:
    segmentation = np.array([[5, 5, 0], [5, 2, 0]])
    assert encode_classes(segmentation) == {
        0: {"counts": "42", "size": [2, 3]},
        2: {"counts": "312", "size": [2, 3]},
        5: {"counts": "033", "size": [2, 3]},
    }


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_encode_classes_equals_one_encoding_for_each_class(
    height: int, width: int, dtype: type
) -> None:
    random = np.random.default_rng(height * 10 + width)
    for classes in (1, 2, 5, 40):
        segmentation = random.integers(0, classes, (height, width)).astype(dtype)
        expected = {
            int(index): plain_encode(segmentation == index) for index in np.unique(segmentation)
        }
        encoded = encode_classes(segmentation)
        assert encoded == expected
        assert list(encoded) == sorted(expected)


@pytest.mark.parametrize("values", [[-3, 0, 7], [0, 65535, 65536], [-(2**40), 5, 2**40]])
def test_encode_classes_takes_any_integers(values: list[int]) -> None:
    segmentation = np.random.default_rng(1).choice(np.array(values), (12, 9))
    assert encode_classes(segmentation) == {
        value: plain_encode(segmentation == value) for value in values
    }


def test_encode_classes_gives_only_wanted_classes_that_occur() -> None:
    segmentation = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    assert list(encode_classes(segmentation, [2, 0, 9])) == [0, 2]
    assert encode_classes(segmentation, []) == {}


def test_masks_of_all_classes_cover_the_image_once() -> None:
    segmentation = np.random.default_rng(2).integers(0, 6, (37, 53))
    decoded = [decode(rle) for rle in encode_classes(segmentation).values()]
    assert np.array_equal(np.sum(decoded, axis=0), np.ones((37, 53)))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_decode_is_the_inverse(height: int, width: int) -> None:
    random = np.random.default_rng(height + width)
    for _ in range(10):
        mask = random_mask(random, height, width)
        decoded = decode(encode_mask(mask))
        assert decoded.dtype == np.bool_
        assert np.array_equal(decoded, mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("5", "do not fill an image of 2x3 pixels"),
        ("9", "do not fill an image of 2x3 pixels"),
        ("7O", "do not fill an image of 2x3 pixels"),
        ("", "not a compressed run-length string"),
        ("P", "not a compressed run-length string"),
        ("6 ", "not a compressed run-length string"),
        ("é", "not a compressed run-length string"),
        ("zzzz", "not a compressed run-length string"),
    ],
)
def test_broken_strings_are_refused(counts: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode({"counts": counts, "size": [2, 3]})


def test_run_lengths_are_zeros_first() -> None:
    assert run_lengths({"counts": "0122", "size": [1, 6]}).tolist() == [0, 1, 2, 3]
    mask = np.zeros((720, 1280), dtype=bool)
    mask[:, 900:] = True
    mask[5, 3] = True
    assert run_lengths(plain_encode(mask)).tolist() == [2165, 1, 645834, 273600]


@pytest.mark.parametrize("seed", range(30))
def test_overlap_is_a_pixel_in_two_masks(seed: int) -> None:
    random = np.random.default_rng(seed)
    masks = random.random((int(random.integers(0, 4)), 6, 7)) < 0.15
    assert overlap(map(encode_mask, masks)) == bool((masks.sum(axis=0) > 1).any())


def test_classes_of_one_map_do_not_overlap() -> None:
    segmentation = np.random.default_rng(2).integers(0, 6, (37, 53))
    rles = list(encode_classes(segmentation).values())
    assert not overlap(rles)
    assert overlap([*rles, encode_mask(segmentation == 3)])


def test_everything_is_plain_data() -> None:
    encoded = encode_classes(np.array([[0, 1]], dtype=np.int32))
    assert json.loads(json.dumps(encoded)) == {
        "0": {"counts": "011", "size": [1, 2]},
        "1": {"counts": "11", "size": [1, 2]},
    }
    crop = encode_crop(np.ones((1, 1), bool), np.int64(1), np.int64(0), np.int64(1), np.int64(2))
    json.dumps(crop)


@pytest.mark.parametrize("encode", [encode_mask, encode_classes])
def test_other_shapes_are_refused(encode: Callable) -> None:
    with pytest.raises(ValueError, match=r"expected an array of shape \(H, W\), got \(2, 3, 4\)"):
        encode(np.zeros((2, 3, 4), dtype=np.uint8))


WHOLE = encode_mask(np.eye(6, 9, dtype=bool))


def test_check_gives_the_size() -> None:
    assert check(WHOLE) == (6, 9)
    assert check(encode_mask(np.zeros((720, 1280), dtype=bool))) == (720, 1280)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([1, 2], "is an object with counts and size"),
        ({"counts": WHOLE["counts"]}, "the size is not a pair of whole numbers"),
        ({**WHOLE, "size": [6, 9.0]}, "the size is not a pair"),
        ({**WHOLE, "size": [6, True]}, "the size is not a pair"),
        ({**WHOLE, "size": [6]}, "the size is not a pair"),
        ({**WHOLE, "size": [0, 9]}, "a size of 0x9 pixels"),
        ({**WHOLE, "size": [-6, -9]}, "a size of -6x-9 pixels"),
        ({**WHOLE, "size": [1_000_000, 1_000_000]}, "a size of 1000000x1000000 pixels"),
        ({**WHOLE, "size": [9, 9]}, "do not fill an image of 9x9 pixels"),
        ({**WHOLE, "counts": None}, "not a compressed run-length string"),
        ({**WHOLE, "counts": [6, 48]}, "not a compressed run-length string"),
        ({**WHOLE, "counts": ""}, "has no run lengths"),
        ({**WHOLE, "counts": "garbage!"}, "not a compressed run-length string"),
        ({**WHOLE, "counts": "\ud800"}, "not a compressed run-length string"),
        ({**WHOLE, "counts": "ü"}, "not a compressed run-length string"),
        ({**WHOLE, "counts": WHOLE["counts"][:-1]}, "do not fill|not a compressed"),
        ({**WHOLE, "counts": WHOLE["counts"] + "0"}, "do not fill"),
        # 2**65 + 54 pixels, which are 54 in 64 bits.
        ({**WHOLE, "counts": "fQPPPPPPPPPPP10"}, "beyond any image"),
        ({**WHOLE, "counts": "o" * 4000 + "0"}, "beyond any image"),
    ],
)
def test_masks_that_end_a_process_are_refused(mask: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(mask)


def test_largest_mask() -> None:
    side = math.isqrt(MAX_PIXELS)
    assert side * side == MAX_PIXELS
    whole = coco_mask.frPyObjects({"counts": [0, side * side], "size": [side, side]}, side, side)
    assert check({"counts": whole["counts"].decode(), "size": [side, side]}) == (side, side)
    with pytest.raises(ValueError, match="none of a picture"):
        check({"counts": whole["counts"].decode(), "size": [side, side + 1]})
