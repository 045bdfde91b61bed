"""Tracked objects of one frame of a video as Scalabel labels with identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Frame, Label
from bdd100k_models.frames.detection import detection_labels
from bdd100k_models.frames.instance import CroppedMask
from bdd100k_models.frames.rle import encode_crop


def video_frame(name: str, video: str, index: int, labels: list[Label]) -> Frame:
    """A frame of a video; ``index`` counts from 0."""
    return {"name": name, "videoName": video, "frameIndex": index, "labels": labels}


def track_labels(
    boxes: NDArray[np.floating],
    labels: NDArray[np.integer],
    ids: NDArray[np.integer],
    categories: Sequence[str],
) -> list[Label]:
    """Labels with ``id``, ``category``, ``score`` and ``box2d``, in the order given.

    Args:
        boxes: (N, 5), x1 y1 x2 y2 score, pixels.
        labels: (N,), indices into ``categories``.
        ids: (N,), identities from 0.
        categories: class names in the order of the model's outputs.

    Raises:
        ValueError: see :func:`detection_labels`.
    """
    found = detection_labels(boxes[:, :4], boxes[:, 4], labels, categories)
    return [{"id": str(int(i)), **label} for i, label in zip(ids, found, strict=True)]


@dataclass(frozen=True)
class MaskedTracks:
    """What one frame gives for the files of segmentation tracking.

    Attributes:
        labels: with ``rle``, what is visible of each object, the highest score first.
        bitmask: (H, W, 4) uint8: class index + 1, 0, high byte and low byte of the identity + 1,
            as the toolkit takes 0 for nothing.
    """

    labels: list[Label]
    bitmask: NDArray[np.uint8]


def masked_tracks(
    boxes: NDArray[np.floating],
    labels: NDArray[np.integer],
    ids: NDArray[np.integer],
    masks: Sequence[CroppedMask],
    height: int,
    width: int,
    categories: Sequence[str],
) -> MaskedTracks:
    """Lay the objects of a frame over each other, the higher score on top.

    The evaluator drops every label of a frame whose masks overlap; objects of which nothing is
    visible are left out. Arguments are those of :func:`track_labels`, and:

    Args:
        boxes: see :func:`track_labels`.
        labels: see :func:`track_labels`.
        ids: see :func:`track_labels`; below 65535.
        masks: N masks, within the image.
        height: of the image, pixels.
        width: of the image, pixels.
        categories: see :func:`track_labels`.

    Raises:
        ValueError: see :func:`detection_labels`.
    """
    found = track_labels(boxes, labels, ids, categories)
    bitmask = np.zeros((height, width, 4), dtype=np.uint8)
    packed = bitmask.view(np.uint32)[..., 0]
    shown: list[Label] = []
    for place in sorted(range(len(found)), key=lambda index: -found[index]["score"]):
        mask = masks[place]
        rows, columns = mask.crop.shape
        region = packed[mask.y : mask.y + rows, mask.x : mask.x + columns]
        visible = np.asarray(mask.crop, dtype=np.bool_) & (region == 0)
        if not visible.any():
            continue
        number = int(ids[place]) + 1
        colour = np.array([int(labels[place]) + 1, 0, number >> 8 & 255, number & 255], np.uint8)
        region[visible] = colour.view(np.uint32)[0]
        shown.append({**found[place], "rle": encode_crop(visible, mask.x, mask.y, height, width)})
    return MaskedTracks(shown, bitmask)
