"""COCO annotation files, checked before the packages' datasets read them.

What those datasets need and a file lacks ends in a ``KeyError`` somewhere in a loader worker. Here
it is one line with the file and the place.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames import rle
from bdd100k_models.frames.reading import picture_names


def read_coco(
    path: Path, *, panoptic: bool = False, masks: bool = False, keypoints: int | None = None
) -> dict[str, Any]:
    """The content of a COCO file that is trained or validated on.

    Raises:
        FileNotFoundError: not there.
        UserError: not JSON, or see :func:`check_coco`.
    """
    path.stat()
    content: dict[str, Any] = read_json(path, "annotations")
    check_coco(content, f"annotations {path}", panoptic=panoptic, masks=masks, keypoints=keypoints)
    return content


def check_coco(
    content: Any,
    where: str,
    *,
    panoptic: bool = False,
    masks: bool = False,
    keypoints: int | None = None,
) -> None:
    """Check the content of a COCO file that is trained or validated on.

    Args:
        content: as JSON has it.
        where: begins the message, such as ``annotations x.json``.
        masks: every annotation must have the outline of its object: polygons, or run lengths.
        panoptic: annotations list their segments, which have the boxes and areas.
        keypoints: number of keypoints that every annotation with keypoints must have.

    Raises:
        UserError: the first thing that is missing or no number.
    """
    images = picture_names(content, where)
    for index, image in enumerate(content["images"]):
        if not _is_id(image.get("id")):
            raise _problem(where, "image", index, "id", image.get("id"))
        for side in ("height", "width"):
            if not _is_id(image.get(side)) or image[side] < 1:
                raise _problem(where, "image", index, side, image.get(side))
    image_ids = {image["id"] for image in content["images"]}
    if len(image_ids) < len(images):
        raise UserError(f"{where}: two images have one id; run tools/prepare_data.py")
    for key in ("annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise UserError(f"{where} has no list of {key}; run tools/prepare_data.py")
    for index, category in enumerate(content["categories"]):
        if not isinstance(category, dict) or not _is_id(category.get("id")):
            raise _problem(where, "category", index, "id", None)
        if not isinstance(category.get("name"), str):
            raise _problem(where, "category", index, "name", category.get("name"))
    category_ids = {category["id"] for category in content["categories"]}
    for index, annotation in enumerate(content["annotations"]):
        if not isinstance(annotation, dict):
            raise _problem(where, "annotation", index, "image_id", None)
        image_id = annotation.get("image_id")
        if not _is_id(image_id) or image_id not in image_ids:
            raise _problem(where, "annotation", index, "image_id", image_id)
        objects = annotation.get("segments_info") if panoptic else [annotation]
        if not isinstance(objects, list):
            raise _problem(where, "annotation", index, "segments_info", objects)
        for entry in objects:
            lacking = _missing(entry, category_ids)
            if lacking is not None:
                value = entry.get(lacking) if isinstance(entry, dict) else None
                raise _problem(where, "annotation", index, lacking, value)
        if masks and not _is_outline(annotation.get("segmentation")):
            value = annotation.get("segmentation")
            raise _problem(where, "annotation", index, "segmentation", value)
        points = annotation.get("keypoints")
        if keypoints is not None and points is not None and not _are_numbers(points, 3 * keypoints):
            raise _problem(where, "annotation", index, "keypoints", points)


def _missing(entry: Any, category_ids: Collection[int]) -> str | None:
    """What an annotation or a segment lacks, or has in a form that is none."""
    if not isinstance(entry, dict) or not _is_id(entry.get("id")):
        return "id"
    category_id = entry.get("category_id")
    if not _is_id(category_id) or category_id not in category_ids:
        return "category_id"
    if not _are_numbers(entry.get("bbox"), 4):
        return "bbox"
    return None if _are_numbers([entry.get("area")], 1) else "area"


def _is_outline(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(
            isinstance(polygon, list)
            and len(polygon) >= 6
            and len(polygon) % 2 == 0
            and _are_numbers(polygon, len(polygon))
            for polygon in value
        )
    if isinstance(value, dict) and isinstance(value.get("counts"), list):
        size, counts = value.get("size"), value["counts"]
        whole = all(_is_id(count) and count >= 0 for count in counts)
        if not whole or not isinstance(size, list) or not _are_numbers(size, 2):
            return False
        return bool(sum(counts) == size[0] * size[1])
    try:
        rle.check(value)
    except ValueError:
        return False
    return True


def _problem(where: str, kind: str, index: int, key: str, value: Any) -> UserError:
    shown = "no" if value is None else "a senseless"
    return UserError(f"{where}: {kind} {index} has {shown} '{key}'; run tools/prepare_data.py")


def _is_id(value: Any) -> bool:
    return type(value) is int


def _are_numbers(values: Any, count: int) -> bool:
    if not isinstance(values, list) or len(values) != count:
        return False
    return all(type(value) in (int, float) and math.isfinite(value) for value in values)
