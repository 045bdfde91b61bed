"""Tags of pictures, out of the label files of detection."""

from __future__ import annotations

import re
from pathlib import Path

from bdd100k_models.errors import UserError
from bdd100k_models.frames.reading import read_frames


def label_file(path: Path) -> Path:
    """``path``, or the same split in the form of 2018 where only that is there.

    ``labels/det_20/det_val.json`` -> ``labels/bdd100k_labels_images_val.json``.
    """
    split = re.fullmatch(r"det_(train|val)\.json", path.name)
    if split and not path.is_file():
        old = path.parent.parent / f"bdd100k_labels_images_{split.group(1)}.json"
        if old.is_file():
            return old
    return path


def read_tags(path: Path, attribute: str) -> dict[str, str]:
    """Image name -> value of ``attribute``, in the order of the file, for images that have it.

    Raises:
        UserError: no such file, it is not Scalabel JSON, or a tag is no text.
    """
    path = label_file(path)
    tags: dict[str, str] = {}
    for frame in read_frames(path, "labels"):
        value = (frame.get("attributes") or {}).get(attribute)
        if value is None:
            continue
        if not isinstance(value, str):
            raise UserError(
                f"labels {path}: {attribute} of frame {frame['name']!r} is not text: {value!r}"
            )
        tags[frame["name"]] = value
    return tags
