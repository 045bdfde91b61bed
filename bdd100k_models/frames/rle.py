"""COCO run-length encoding without one full-size mask per object.

COCO counts pixels column by column. Instead of transposing the image and scanning a mask for each
class, the places where a column changes are found once; what follows works on run lengths only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

#: Stable sorts of 16-bit integers are radix sorts in numpy, several times quicker than others.
_RADIX_MAX = np.iinfo(np.uint16).max

#: Pixels of the largest mask that is read: a decoded one takes a byte a pixel.
MAX_PIXELS = 2**28
#: Characters of one number of a compressed string, with 5 bits each and a sign.
_MAX_DIGITS = 6


class RLE(TypedDict):
    """A mask in COCO's compressed run-length form, as Scalabel JSON holds it."""

    counts: str
    size: list[int]


def encode_mask(mask: NDArray[np.bool_]) -> RLE:
    """Encode one mask of shape (H, W); what is not zero belongs to it."""
    mask = _two_dimensional(mask).astype(np.bool_, copy=False)
    height, width = mask.shape
    starts, values = _column_runs(mask)
    bounds = starts[1:] if len(values) and not values[0] else starts
    return _compress([_counts(bounds, height * width)], height, width)[0]


def encode_crop(crop: NDArray[np.bool_], x: int, y: int, height: int, width: int) -> RLE:
    """Encode the mask of a (height, width) image that is ``crop`` at (x, y) and zero elsewhere.

    Args:
        crop: (h, w) mask; what is not zero belongs to it.
        x: column of the crop's left edge in the image, pixels.
        y: row of the crop's upper edge in the image, pixels.
        height: height of the image, pixels.
        width: width of the image, pixels.

    Raises:
        ValueError: the crop does not lie within the image.
    """
    crop = _two_dimensional(crop).astype(np.bool_, copy=False)
    rows, columns = crop.shape
    if x < 0 or y < 0 or x + columns > width or y + rows > height:
        raise ValueError(
            f"a crop of {rows}x{columns} at x={x}, y={y} leaves the image of {height}x{width}"
        )
    # A row of zeros above and below each column makes its first and last runs end in the column.
    padded = np.zeros((rows + 2, columns), dtype=np.bool_)
    padded[1:-1] = crop
    column, row = np.nonzero((padded[1:] != padded[:-1]).T)
    bounds = (column + x) * height + (row + y)
    if rows == height:
        # Full-height crops: a run that reaches the bottom goes on at the top of the next column.
        ends_at_next = np.flatnonzero(bounds[1:-1:2] == bounds[2::2])
        bounds = np.delete(bounds, np.concatenate((2 * ends_at_next + 1, 2 * ends_at_next + 2)))
    return _compress([_counts(bounds, height * width)], height, width)[0]


def encode_classes(
    segmentation: NDArray[np.integer], classes: Sequence[int] | None = None
) -> dict[int, RLE]:
    """Encode every class of a map in one pass over its pixels.

    Args:
        segmentation: (H, W) integers, one class or segment id for each pixel.
        classes: the ids that are wanted; all that occur by default.

    Returns:
        Mask of each id that occurs (and is wanted), in ascending order of the ids.
    """
    segmentation = _two_dimensional(segmentation)
    height, width = segmentation.shape
    if not segmentation.size:
        return {}
    starts, values = _column_runs(segmentation)
    ends = np.empty_like(starts)
    ends[:-1] = starts[1:]
    ends[-1] = segmentation.size
    order = _stable_order(values)
    values = values[order]
    bounds = np.empty(2 * len(starts), dtype=starts.dtype)
    bounds[0::2] = starts[order]
    bounds[1::2] = ends[order]
    first = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1, [len(values)]))
    wanted = None if classes is None else {int(class_id) for class_id in classes}
    ids: list[int] = []
    counts: list[NDArray[np.int64]] = []
    for begin, end in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        class_id = int(values[begin])
        if wanted is None or class_id in wanted:
            ids.append(class_id)
            counts.append(_counts(bounds[2 * begin : 2 * end], segmentation.size))
    return dict(zip(ids, _compress(counts, height, width), strict=True))


def decode(rle: RLE) -> NDArray[np.bool_]:
    """Decode to a mask of shape (H, W).

    Raises:
        ValueError: see :func:`run_lengths`; pycocotools alone leaves pixels undefined.
    """
    height, width = rle["size"]
    lengths = run_lengths(rle)
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return flat.reshape(width, height).T


def check(mask: Any) -> tuple[int, int]:
    """Height and width of a mask as JSON holds it, if pycocotools can take it.

    What it cannot take ends the process, or never ends.

    Raises:
        ValueError: no object with ``counts`` and ``size``, a size beyond `MAX_PIXELS`, or see
            :func:`run_lengths`.
    """
    if not isinstance(mask, dict):
        raise ValueError("a mask is an object with counts and size")
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, (list, tuple)) or [type(side) for side in size] != [int, int]:
        raise ValueError("the size is not a pair of whole numbers, height and width")
    height, width = size
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"a size of {height}x{width} pixels is none of a picture")
    if not isinstance(counts, str):
        raise ValueError("the counts are not a compressed run-length string")
    if not counts:
        raise ValueError("the mask has no run lengths; leave empty masks out")
    run_lengths({"counts": counts, "size": [height, width]})
    return height, width


def run_lengths(rle: RLE) -> NDArray[np.int64]:
    """Lengths of the runs of a mask, column by column, zeros and ones in turn, zeros first.

    Raises:
        ValueError: the string is not COCO's compressed form, or does not fill the image.
    """
    height, width = rle["size"]
    data = np.frombuffer(rle["counts"].encode("utf-8", "surrogatepass"), dtype=np.uint8)
    codes = data.astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    if not len(ends) or ends[-1] != len(codes) - 1 or codes.min() < 0 or codes.max() > 63:
        raise ValueError("the counts are not a compressed run-length string")
    # A number is a group of characters with 5 bits each, lowest first; 32 marks that more follow,
    # 16 in the last one a negative number.
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    if digits.max() > _MAX_DIGITS:
        raise ValueError("the counts hold a number beyond any image")
    shift = 5 * (np.arange(len(codes)) - np.repeat(starts, digits))
    lengths: NDArray[np.int64] = np.add.reduceat((codes & 31) << shift, starts)
    lengths -= np.where(codes[ends] & 16, 1 << (5 * digits), 0)
    # From the fourth number on, what is stored is the difference to the last but one.
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    if lengths.min() < 0 or lengths.sum() != height * width:
        raise ValueError(f"the run lengths do not fill an image of {height}x{width} pixels")
    return lengths


def overlap(rles: Iterable[RLE]) -> bool:
    """Whether a pixel belongs to more than one of the masks, which are of one size.

    Raises:
        ValueError: see :func:`run_lengths`.
    """
    starts: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    for rle in rles:
        bounds = np.cumsum(run_lengths(rle))
        filled = len(bounds) // 2
        starts.append(bounds[0 : 2 * filled : 2])
        ends.append(bounds[1::2])
    if not starts:
        return False
    start, end = np.concatenate(starts), np.concatenate(ends)
    start, end = start[end > start], end[end > start]
    order = np.argsort(start)
    return bool((start[order][1:] < end[order][:-1]).any())


def _two_dimensional(array: NDArray) -> NDArray:
    array = np.asarray(array)
    if array.ndim != 2:
        raise ValueError(f"expected an array of shape (H, W), got {array.shape}")
    return array


def _column_runs(image: NDArray) -> tuple[NDArray[np.int64], NDArray]:
    """Start (column-major position, ascending) and value of every run of equal pixels."""
    height, width = image.shape
    if not image.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=image.dtype)
    changed = np.empty((height, width), dtype=np.bool_)
    np.not_equal(image[1:], image[:-1], out=changed[1:])
    changed[0, 0] = True
    np.not_equal(image[0, 1:], image[-1, :-1], out=changed[0, 1:])
    positions = np.flatnonzero(changed)
    row, column = np.divmod(positions, width)
    order = _stable_order(column)
    return (column * height + row)[order], image.reshape(-1)[positions[order]]


def _stable_order(keys: NDArray) -> NDArray[np.intp]:
    """Indices that sort integers, equal ones in the order in which they came."""
    if keys.dtype.kind != "b" and keys.dtype.itemsize > 1:
        if keys.size and (keys.min() < 0 or keys.max() > _RADIX_MAX):
            keys = np.searchsorted(np.unique(keys), keys)
        if keys.size and keys.max() <= _RADIX_MAX:
            keys = keys.astype(np.uint16)
    return np.argsort(keys, kind="stable")


def _counts(bounds: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Run lengths, zeros first, of a mask that changes at the ascending positions ``bounds``."""
    if len(bounds) and bounds[-1] == size:
        return np.diff(bounds, prepend=0)
    return np.diff(bounds, prepend=0, append=size)


def _compress(counts: Sequence[NDArray[np.int64]], height: int, width: int) -> list[RLE]:
    objects = [{"counts": lengths, "size": [height, width]} for lengths in counts]
    if not objects:
        return []
    return [
        {"counts": encoded["counts"].decode("ascii"), "size": [int(height), int(width)]}
        for encoded in coco_mask.frPyObjects(objects, height, width)
    ]
