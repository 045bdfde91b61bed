"""Instances of one image in the forms that the toolkit's instance segmentation takes.

Both forms show what stays visible when instances are laid over each other, the higher score on
top: the evaluator drops every label of a frame whose masks overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Label
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.frames.rle import encode_crop

#: Segments of an image that the official evaluators count.
MAX_SEGMENTS = 100


@dataclass(frozen=True)
class CroppedMask:
    """A mask that is zero outside of a box.

    Attributes:
        crop: (h, w), what is not zero belongs to the mask.
        x: column of the crop's left edge in the image, pixels.
        y: row of the crop's upper edge in the image, pixels.
    """

    crop: NDArray[np.bool_]
    x: int
    y: int


@dataclass(frozen=True)
class InstanceOutputs:
    """What one image gives for the files of instance segmentation.

    Attributes:
        det: labels of ``det.json``, every instance in the order given.
        score: labels of ``score.json``: ``index`` (the id in the bitmask) and ``score``.
        rle: labels of the RLE file, the visible part of each instance, in the order of ``score``.
        bitmask: (H, W, 4) uint8: class index + 1, 0, high byte and low byte of the id.
    """

    det: list[Label]
    score: list[Label]
    rle: list[Label]
    bitmask: NDArray[np.uint8]


def instance_outputs(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    masks: Sequence[CroppedMask],
    height: int,
    width: int,
    categories: Sequence[str],
) -> InstanceOutputs:
    """Merge the instances of an image by score and convert them.

    Ids count from 1 in each image, from the highest score down, over the instances of which
    something is visible; of these the best `MAX_SEGMENTS` are kept. Of equal scores, the one
    that comes first is on top.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels.
        scores: (N,).
        labels: (N,), indices into ``categories``.
        masks: N masks, within the image.
        height: height of the image, pixels.
        width: width of the image, pixels.
        categories: class names in the order of the model's outputs.

    Raises:
        ValueError: lengths differ, a label is not an index of a category, a number is not finite,
            a mask leaves the image.
    """
    det = detection_labels(boxes, scores, labels, categories)
    if len(masks) != len(det):
        raise ValueError(f"{len(det)} boxes, {len(masks)} masks")
    bitmask = np.zeros((height, width, 4), dtype=np.uint8)
    packed = bitmask.view(np.uint32)[..., 0]
    score: list[Label] = []
    rle: list[Label] = []
    for position in sorted(range(len(det)), key=lambda index: -det[index]["score"]):
        if len(score) == MAX_SEGMENTS:
            break
        mask = masks[position]
        crop = np.asarray(mask.crop, dtype=np.bool_)
        region = packed[mask.y : mask.y + crop.shape[0], mask.x : mask.x + crop.shape[1]]
        if mask.x < 0 or mask.y < 0 or region.shape != crop.shape:
            raise ValueError(
                f"a mask of {crop.shape} at x={mask.x}, y={mask.y} leaves the image of "
                f"{height}x{width}"
            )
        visible = crop & (region == 0)
        if not visible.any():
            continue
        index = len(score) + 1
        colour = np.array([int(labels[position]) + 1, 0, index >> 8, index & 255], dtype=np.uint8)
        region[visible] = colour.view(np.uint32)[0]
        category, value = det[position]["category"], det[position]["score"]
        score.append({"index": index, "score": value})
        rle.append(
            {
                "category": category,
                "score": value,
                "rle": encode_crop(visible, mask.x, mask.y, height, width),
            }
        )
    return InstanceOutputs(det=det, score=score, rle=rle, bitmask=bitmask)
