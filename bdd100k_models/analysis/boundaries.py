"""How well class maps follow the borders of things.

Boundary IoU (Cheng et al., CVPR 2021): the IoU of the strips along the inner side of the borders.
Large areas, whose inside is easy, do not hide coarse outlines there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bdd100k_models.analysis.pairs import Pair
from bdd100k_models.analysis.precision import Array

#: Width of the strip in diagonals of the picture, as the authors take for pictures of streets.
STRIP = 0.005
NONE = 255


@dataclass(frozen=True)
class Boundaries:
    """Pixels of the strips, summed over pictures.

    Attributes:
        intersections: (C,) in the true strip and the predicted one.
        unions: (C,) in either.
        wrong_near: wrong pixels in the strip of any true class.
        wrong: all wrong pixels.
    """

    intersections: Array
    unions: Array
    wrong_near: int
    wrong: int

    @property
    def iou(self) -> Array:
        """(C,) boundary IoU in percent, NaN for classes that are nowhere."""
        whole = np.where(self.unions > 0, self.unions, np.nan)
        return np.asarray(100 * self.intersections / whole)


def measure_boundaries(pair: Pair) -> Boundaries:
    """Compare the strips of all classes in all pictures; pixels without truth do not count."""
    from scalabel.eval.sem_seg import frame_to_mask

    categories = {name: index for index, name in enumerate(pair.classes)}
    intersections, unions = np.zeros(len(categories)), np.zeros(len(categories))
    wrong_near = wrong = 0
    for (truth,), (predicted,) in zip(pair.truth, pair.predicted, strict=True):
        true_map = frame_to_mask(truth, categories, pair.config.imageSize, NONE)
        found_map = frame_to_mask(predicted, categories, pair.config.imageSize, NONE)
        if not found_map.size:
            found_map = np.full_like(true_map, NONE)
        known = true_map != NONE
        near = np.zeros_like(known)
        for index in np.union1d(np.unique(true_map), np.unique(found_map[known])).tolist():
            if index >= len(categories):
                continue
            true_strip = strip(true_map == index)
            found_strip = strip((found_map == index) & known)
            near |= true_strip
            intersections[index] += np.count_nonzero(true_strip & found_strip)
            unions[index] += np.count_nonzero(true_strip | found_strip)
        differs = (true_map != found_map) & known
        wrong += int(np.count_nonzero(differs))
        wrong_near += int(np.count_nonzero(differs & near))
    return Boundaries(intersections, unions, wrong_near, wrong)


def strip(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels of a mask (H, W) that are near its border; the picture's edge is one."""
    import cv2

    reach = max(1, round(STRIP * math.hypot(*mask.shape)))
    padded = np.pad(mask, 1).astype(np.uint8)
    kernel = np.ones((3, 3), dtype=np.uint8)
    inside = cv2.erode(padded, kernel, iterations=reach)[1:-1, 1:-1]
    near: npt.NDArray[np.bool_] = mask & (inside == 0)
    return near
