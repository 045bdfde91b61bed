"""A panoptic map of one image as Scalabel labels, or as the toolkit's bitmask; and COCO's ids.

The map is mmdet's: class index + 1000 * instance number, and pixels whose class index is the
number of classes have no class. Class indices count things first, then stuff; the category ids of
the toolkit (`bdd100k.label.label`) count stuff first, from 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Label
from bdd100k_models.frames.rle import encode_classes

#: What mmdet multiplies instance numbers with.
INSTANCE_OFFSET = 1000

_MAX_BITMASK_ID = np.iinfo(np.uint16).max


def panoptic_labels(
    panoptic: NDArray[np.integer], things: Sequence[str], stuff: Sequence[str]
) -> list[Label]:
    """One label with ``id``, ``category`` and ``rle`` for each segment, in ascending id order.

    The ids are those of the map, in digits.

    Args:
        panoptic: (H, W), class index + 1000 * instance number.
        things: names of the class indices from 0.
        stuff: names of the class indices after the things.

    Raises:
        ValueError: another shape, or a pixel with a class index that is neither a class nor void.
    """
    categories = (*things, *stuff)
    labels: list[Label] = []
    for segment, rle in encode_classes(panoptic).items():
        index = _class_index(segment, len(categories))
        if index is not None:
            labels.append({"id": str(segment), "category": categories[index], "rle": rle})
    return labels


#: The toolkit's bitmask of an image without a prediction: ignored and crowded, id 1.
BLANK = np.array([0, 3, 0, 1], dtype=np.uint8)


def panoptic_bitmask(
    panoptic: NDArray[np.integer], things: Sequence[str], stuff: Sequence[str]
) -> NDArray[np.uint8]:
    """The bitmask that the toolkit scores: category id, 0, high byte and low byte of the id.

    Ids: stuff has its category id, things count on from there in ascending order of the ids of
    the map. Pixels of no class are 0. A map without any segment becomes one ignored segment, as
    the toolkit's evaluator cannot read a bitmask that has none.

    Args:
        panoptic: (H, W), class index + 1000 * instance number.
        things: names of the class indices from 0.
        stuff: names of the class indices after the things.

    Returns:
        (H, W, 4) uint8.

    Raises:
        ValueError: another shape, or a pixel with a class index that is neither a class nor void.
    """
    panoptic = np.asarray(panoptic)
    if panoptic.ndim != 2:
        raise ValueError(f"expected an array of shape (H, W), got {panoptic.shape}")
    if not panoptic.size:
        return np.zeros((*panoptic.shape, 4), dtype=np.uint8)
    # Tables over segment ids instead of a sort of all pixels.
    table_size = int(panoptic.max()) + 1
    if panoptic.min() < 0 or table_size > INSTANCE_OFFSET * _MAX_BITMASK_ID:
        raise ValueError(f"segment ids must lie in 0..{INSTANCE_OFFSET * _MAX_BITMASK_ID - 1}")
    present = np.zeros(table_size, dtype=np.bool_)
    present[panoptic] = True
    colours = np.zeros((table_size, 4), dtype=np.uint8)
    next_id = len(stuff)
    for segment in np.flatnonzero(present).tolist():
        index = _class_index(segment, len(things) + len(stuff))
        if index is None:
            continue
        if index < len(things):
            next_id += 1
            category_id, segment_id = len(stuff) + 1 + index, next_id
        else:
            category_id = segment_id = index - len(things) + 1
        if segment_id > _MAX_BITMASK_ID:
            raise ValueError(f"more than {_MAX_BITMASK_ID} segments do not fit into a bitmask")
        colours[segment] = category_id, 0, segment_id >> 8, segment_id & 255
    if not colours.any():
        return np.broadcast_to(BLANK, (*panoptic.shape, 4)).copy()
    # Four bytes move as one: several times quicker than rows of a (table_size, 4) table.
    packed = np.take(colours.view(np.uint32)[:, 0], panoptic)
    return packed.view(np.uint8).reshape(*panoptic.shape, 4)


def rgb_to_id(colours: NDArray[Any]) -> NDArray[np.int32]:
    """Segment ids of COCO's panoptic PNG: R + 256 G + 65536 B, (..., 3) RGB -> (...)."""
    return colours.astype(np.int32) @ np.array([1, 256, 256 * 256], dtype=np.int32)


def _class_index(segment: int, num_classes: int) -> int | None:
    """Class index of a segment, None for void."""
    index = segment % INSTANCE_OFFSET
    if segment < 0 or index > num_classes:
        raise ValueError(f"segment {segment} has no class index below {num_classes}")
    return index if index < num_classes else None
