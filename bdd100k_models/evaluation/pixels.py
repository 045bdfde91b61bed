"""What the pixels of predicted PNGs must be: masks of class indices, bitmasks of segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.inputs import png_header
from bdd100k_models.evaluation.predictions import with_progress
from bdd100k_models.frames.panoptic import BLANK
from bdd100k_models.zoo import tasks


def check_pixels(
    task: str,
    files: Sequence[Path],
    size: tuple[int, int] | None = None,
    *,
    may_be_blank: bool = False,
) -> None:
    """Check the pixels of the predicted PNGs of a task, whose channels are right.

    Args:
        task: sem_seg, drivable (masks of class indices), ins_seg or pan_seg (bitmasks).
        files: PNGs.
        size: width and height that each must have; it is read before the pixels, as a small file
            can hold more of them than the memory.
        may_be_blank: bitmasks may be without any segment.

    Raises:
        UserError: the first that is wrong, and what.
    """
    facts = tasks.facts(task)
    count = len(facts.classes)
    for file in with_progress(files, "PNGs"):
        found, _ = png_header(file)
        if size is not None and found != size:
            raise UserError(
                f"{file} has {found[0]}x{found[1]} pixels, BDD100K images have {size[0]}x{size[1]}"
            )
        pixels = _decode(file)
        if facts.png_channels == 4:
            problem = _bitmask_problem(pixels, count, may_be_blank)
        else:
            problem = _mask_problem(pixels, count)
        if problem is not None:
            raise UserError(f"{file}: {problem}")


def _decode(file: Path) -> npt.NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file, formats=("PNG",)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file} cannot be read as a PNG; write it again") from error


def _mask_problem(mask: npt.NDArray[np.uint8], count: int) -> str | None:
    values = np.flatnonzero(np.bincount(mask.reshape(-1), minlength=256))
    unknown = [value for value in values.tolist() if value >= count and value != 255]
    if unknown:
        return f"value {unknown[0]}; a mask holds class indices below {count}, and 255 for none"
    return None


def _bitmask_problem(bitmask: npt.NDArray[np.uint8], count: int, may_be_blank: bool) -> str | None:
    colours = np.unique(np.ascontiguousarray(bitmask).view(np.uint32))
    channels = colours.view(np.uint8).reshape(-1, 4).astype(int)
    segments = channels[:, 2] * 256 + channels[:, 3]
    if np.array_equal(channels, [BLANK]):
        return None  # as panoptic_bitmask writes an image in which nothing was found
    channels, segments = channels[segments > 0], segments[segments > 0]
    if not len(segments) and not may_be_blank:
        return "no segment at all, which the evaluator fails on; submit the JSON file"
    if len(np.unique(segments)) != len(segments):
        return "a segment id with two categories or attributes; ids are unique in an image"
    for category_id in channels[:, 0].tolist():
        if not 1 <= category_id <= count:
            return f"category id {category_id}; one of 1 to {count}"
    return None
