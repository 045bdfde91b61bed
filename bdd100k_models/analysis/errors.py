"""The kinds of errors of boxes and masks, and what each costs in AP.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020. Every
prediction that found nothing has one error, every object that was not found and that no correction
of another error would find is missed; the cost of a kind is what AP at IoU 0.5 would gain if its
errors alone were mended.

Two things are otherwise than in the authors' own program: classes without true objects do not
count in the mean, as in the official scores, and predictions in areas to be ignored are in no
number (their correction is, there and here).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bdd100k_models.analysis.precision import interpolated_precision

Kind = Literal["class", "place", "both", "duplicate", "background", "missed"]

#: What is wrong, in words. IoUs are those with true objects.
KINDS: dict[Kind, str] = {
    "class": "right place (IoU ≥ 0.5), wrong class",
    "place": "right class, IoU 0.1 to 0.5",
    "both": "wrong class, IoU 0.1 to 0.5",
    "duplicate": "an object that a better prediction has found",
    "background": "no object there, IoU ≤ 0.1",
    "missed": "an object that nothing points at",
}

FOUND = 0.5
BACKGROUND = 0.1
#: Predictions of a picture that count, the best.
MOST = 100
_RECALLS = np.arange(101) / 100


@dataclass(slots=True)
class Hit:
    """A prediction that found its object."""

    picture: int
    category: int
    score: float
    truth: int


@dataclass(slots=True)
class Error:
    """One error.

    Attributes:
        kind: see `KINDS`.
        picture: index of the picture.
        category: of the prediction; of the object where that is missed.
        predicted: index of the prediction in the picture, None where an object is missed.
        truth: index of the object that it is about, if there is one.
        true_category: its class.
        area: of the prediction, or of the missed object, pixels.
        score: of the prediction.
        counted: False where the prediction lies in an area to be ignored.
        mended: class under which the prediction would count if the error were mended; None where
            it would be gone.
    """

    kind: Kind
    picture: int
    category: int
    predicted: int | None
    truth: int | None
    true_category: int | None
    area: float
    score: float = 0.0
    counted: bool = True
    mended: int | None = None


@dataclass
class Errors:
    """All that went right and wrong.

    Attributes:
        classes: names; ``category`` of hits and errors are indices into them.
        positives: (P, C) int64, true objects of each picture and class.
        hits: what was found.
        errors: what was not, or should not have been.
    """

    classes: tuple[str, ...]
    positives: npt.NDArray[np.int64]
    hits: list[Hit] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)

    def of_pictures(self, wanted: npt.NDArray[np.bool_]) -> Errors:
        """Those of some of the pictures; ``wanted``: (P,) bool."""
        return Errors(
            self.classes,
            self.positives * wanted[:, None],
            [hit for hit in self.hits if wanted[hit.picture]],
            [error for error in self.errors if wanted[error.picture]],
        )

    def count(self, kind: Kind) -> int:
        """Number of errors of a kind."""
        return sum(error.kind == kind and error.counted for error in self.errors)

    @cached_property
    def present_ap(self) -> float:
        """AP at IoU 0.5 in percent, with all errors; NaN where there is nothing to be found."""
        return self.ap()

    def ap(self, mended: Callable[[Error], bool] = lambda error: False) -> float:
        """AP at IoU 0.5 in percent if the errors that ``mended`` picks were none.

        NaN where there is nothing to be found.
        """
        positives = self.positives.sum(axis=0)
        for error in self.errors:
            if error.kind == "missed" and mended(error):
                positives[error.category] -= 1
        return self._mean(self._points(mended), positives)

    def cost(self, kind: Kind, among: Callable[[Error], bool] = lambda error: True) -> float:
        """AP in percent that errors of a kind cost, those that ``among`` picks; never below 0."""
        mended = self.ap(lambda error: error.kind == kind and among(error))
        gained = mended - self.present_ap
        return max(gained, 0.0) if np.isfinite(gained) else gained

    def cost_of_false_alarms(self) -> float:
        """AP that all wrong predictions cost: as if each scored less than every right one."""
        points = {
            category: [(float(right), right) for _, right in own]
            for category, own in self._points().items()
        }
        return self._mean(points, self.positives.sum(axis=0)) - self.present_ap

    def cost_of_not_found(self) -> float:
        """AP that all objects without a hit cost: as if they were not there."""
        found = np.bincount([hit.category for hit in self.hits], minlength=len(self.classes))
        return self._mean(self._points(), found) - self.present_ap

    def _points(
        self, mended: Callable[[Error], bool] = lambda error: False
    ) -> dict[int, list[tuple[float, bool]]]:
        """Class -> score of each prediction, and whether it is right."""
        points: dict[int, list[tuple[float, bool]]] = {}
        for hit in self.hits:
            points.setdefault(hit.category, []).append((hit.score, True))
        for error in self.errors:
            if not mended(error):
                if error.predicted is not None and error.counted:
                    points.setdefault(error.category, []).append((error.score, False))
            elif error.mended is not None:
                points.setdefault(error.mended, []).append((error.score, True))
        return points

    def _mean(
        self, points: dict[int, list[tuple[float, bool]]], positives: npt.NDArray[np.int64]
    ) -> float:
        """Mean AP in percent of the classes that have true objects."""
        found = [
            _class_ap(points.get(category, []), int(positives[category]))
            for category in np.flatnonzero(self.positives.sum(axis=0)).tolist()
            # A class of which nothing is left, neither objects nor predictions, has no AP.
            if positives[category] or category in points
        ]
        return 100 * float(np.mean(found)) if found else float("nan")


def _class_ap(points: list[tuple[float, bool]], positives: int) -> float:
    ordered = sorted(points, key=lambda point: -point[0])
    places = np.flatnonzero([hit for _, hit in ordered])
    hits = np.arange(1.0, len(places) + 1)
    return interpolated_precision(hits, places + 1.0, positives, _RECALLS)


def find_errors(
    classes: Sequence[str],
    truth: Sequence[Sequence[dict[str, Any]]],
    predicted: Sequence[Sequence[dict[str, Any]]],
    geometry: Literal["bbox", "segmentation"],
) -> Errors:
    """Find the errors of all pictures.

    Args:
        classes: names; category ids of the annotations count from 1.
        truth: COCO annotations of each picture.
        predicted: the same, with scores.
        geometry: what overlaps are measured by.
    """
    positives = np.zeros((len(truth), len(classes)), dtype=np.int64)
    found = Errors(tuple(classes), positives)
    for picture, (true_items, items) in enumerate(zip(truth, predicted, strict=True)):
        objects = [item for item in true_items if not item["iscrowd"]]
        areas = [item for item in true_items if item["iscrowd"]]
        for item in objects:
            positives[picture, item["category_id"] - 1] += 1
        best = sorted(items, key=lambda item: -item["score"])[:MOST]
        _find_in_picture(found, picture, objects, areas, best, geometry)
    return found


def _find_in_picture(
    found: Errors,
    picture: int,
    objects: list[dict[str, Any]],
    areas: list[dict[str, Any]],
    predictions: list[dict[str, Any]],
    geometry: str,
) -> None:
    """Add hits and errors of a picture; ``predictions`` are the best first."""
    true_class = np.array([item["category_id"] - 1 for item in objects], dtype=np.int64)
    own_class = np.array([item["category_id"] - 1 for item in predictions], dtype=np.int64)
    overlaps = _overlaps(predictions, objects, geometry)
    same = own_class[:, None] == true_class[None, :]
    of_class, of_others = overlaps * same, overlaps * ~same
    taken = np.full(len(objects), -1)  # by which prediction
    matched = np.full(len(predictions), -1)
    if len(objects):
        for index in range(len(predictions)):
            left = np.where(taken < 0, of_class[index], 0.0)
            target = int(left.argmax())
            if left[target] >= FOUND:
                matched[index], taken[target] = target, index
                found.hits.append(
                    Hit(picture, int(own_class[index]), predictions[index]["score"], target)
                )
    ignored = _ignored(predictions, areas, geometry)
    errors = []
    for index in np.flatnonzero(matched < 0).tolist():
        item = predictions[index]
        kind, target_of = _kind(of_class[index], of_others[index], overlaps[index], taken)
        errors.append(
            Error(
                kind,
                picture,
                int(own_class[index]),
                index,
                target_of,
                None if target_of is None else int(true_class[target_of]),
                float(item["area"]),
                float(item["score"]),
                not ignored[index],
            )
        )
    # Of the errors about one object that nothing found, the best can be mended, the others go.
    mendable: set[int] = set()
    for error in errors:
        about = error.truth
        if error.kind in ("class", "place") and about is not None and taken[about] < 0:
            if about not in mendable:
                error.mended = error.true_category
            mendable.add(about)
    for target in np.flatnonzero(taken < 0).tolist():
        if target not in mendable:
            area = float(objects[target]["area"])
            category = int(true_class[target])
            errors.append(Error("missed", picture, category, None, target, category, area))
    found.errors += errors


def _kind(
    of_class: npt.NDArray[np.float64],
    of_others: npt.NDArray[np.float64],
    overlaps: npt.NDArray[np.float64],
    taken: npt.NDArray[np.int64],
) -> tuple[Kind, int | None]:
    """The kind of error of a prediction, and the object that it is about.

    Args:
        of_class: (G,) IoU with the true objects of its class, 0 with the others.
        of_others: (G,) the other way round.
        overlaps: (G,) IoU with all.
        taken: (G,) which prediction found the object, -1 where none did.
    """
    if not len(overlaps):
        return "background", None
    nearest = int(of_class.argmax())
    if BACKGROUND <= of_class[nearest] <= FOUND:
        return "place", nearest
    other = int(of_others.argmax())
    if of_others[other] >= FOUND:
        return "class", other
    if of_class[nearest] >= FOUND:
        # It would have been a hit, had its objects not all been found before.
        return "duplicate", int(np.where(taken >= 0, of_class, 0.0).argmax())
    return (
        ("background", None) if overlaps.max() <= BACKGROUND else ("both", int(overlaps.argmax()))
    )


def _overlaps(
    predictions: list[dict[str, Any]], objects: list[dict[str, Any]], geometry: str
) -> npt.NDArray[np.float64]:
    """(D, G) IoU."""
    from pycocotools import mask as coco_mask

    if not predictions or not objects:
        return np.zeros((len(predictions), len(objects)))
    overlaps = coco_mask.iou(
        [item[geometry] for item in predictions],
        [item[geometry] for item in objects],
        [0] * len(objects),
    )
    return np.asarray(overlaps, dtype=np.float64)


def _ignored(
    predictions: list[dict[str, Any]], areas: list[dict[str, Any]], geometry: str
) -> npt.NDArray[np.bool_]:
    """(D,) whether more than half of a prediction lies in an area of its class to be ignored."""
    from pycocotools import mask as coco_mask

    if not predictions or not areas:
        return np.zeros(len(predictions), dtype=np.bool_)
    inside = coco_mask.iou(
        [item[geometry] for item in predictions],
        [item[geometry] for item in areas],
        [1] * len(areas),
    )
    same = np.equal.outer(
        [item["category_id"] for item in predictions], [item["category_id"] for item in areas]
    )
    ignored: npt.NDArray[np.bool_] = ((np.asarray(inside) > FOUND) & same).any(axis=1)
    return ignored
