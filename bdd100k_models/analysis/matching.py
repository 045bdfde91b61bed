"""The official matching of objects: which prediction found which true object.

``scalabel`` matches with COCO's own code; here its matches are kept, of which its score is the
last word only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bdd100k_models.analysis.pairs import Pair
from bdd100k_models.analysis.precision import Array, Matches
from bdd100k_models.evaluation.official import quiet

#: What COCO calls its ranges of sizes, and how scores are named by them.
SIZES = {"all": "", "small": "s", "medium": "m", "large": "l"}


@dataclass(frozen=True)
class ObjectMatches:
    """Matches of all classes, in each range of sizes.

    Attributes:
        by_size: COCO's name of a range of sizes -> the matches of each class.
        classes: names, in the same order.
        thresholds: (T,), of IoU or of the similarity of keypoints.
        recalls: (R,), where precision is read.
        truth: COCO annotations of each picture.
        predicted: the same, of the predictions, best score first.
        pairs: for each picture (predicted, true) indices into these at the first threshold.
    """

    by_size: dict[str, list[Matches]]
    classes: tuple[str, ...]
    thresholds: Array
    recalls: Array
    truth: tuple[list[dict[str, Any]], ...]
    predicted: tuple[list[dict[str, Any]], ...]
    pairs: tuple[list[tuple[int, int]], ...]

    @property
    def all(self) -> list[Matches]:
        """The matches of objects of all sizes."""
        return self.by_size["all"]


def match_objects(pair: Pair) -> ObjectMatches:
    """Match as the evaluators of det, ins_seg and pose do."""
    from scalabel.eval import detect, pose
    from scalabel.label.to_coco import (
        scalabel2coco_detection,
        scalabel2coco_ins_seg,
        scalabel2coco_pose,
    )

    geometry = {"det": "bbox", "ins_seg": "segm", "pose": "keypoints"}[pair.task]
    convert = {
        "det": scalabel2coco_detection,
        "ins_seg": scalabel2coco_ins_seg,
        "pose": scalabel2coco_pose,
    }[pair.task]
    with quiet():
        truth = convert([frame for (frame,) in pair.truth], pair.config)
        predicted = convert([frame for (frame,) in pair.predicted], pair.config)["annotations"]
        if geometry == "segm":
            kept = [item for item in truth["annotations"] if "segmentation" in item]
            truth["annotations"] = kept
        coco_truth: Any = detect.COCOV2(None, truth)
        if geometry == "segm":
            for item in predicted:
                item.pop("bbox", None)  # the evaluator's: sizes are those of the masks
        coco_predicted = (
            coco_truth.loadRes(predicted)
            if predicted
            else detect.COCOV2(None, {**truth, "annotations": []})
        )
        evaluator: Any
        if pair.task == "pose":
            evaluator = pose.COCOevalV2(
                list(pair.classes), coco_truth, coco_predicted, geometry, pair.config.poseSigmas, 1
            )
        else:
            evaluator = detect.COCOevalV2(
                list(pair.classes), coco_truth, coco_predicted, geometry, 1
            )
        evaluator.params.imgIds = sorted(coco_truth.getImgIds())
        evaluator.evaluate()
    params = evaluator.params
    pictures = len(params.imgIds)
    by_size: dict[str, list[Matches]] = {}
    for number, size in enumerate(params.areaRngLbl):
        by_size[size] = []
        for category in range(len(params.catIds)):
            start = (category * len(params.areaRng) + number) * pictures
            by_size[size].append(
                _collect(evaluator.evalImgs[start : start + pictures], len(params.iouThrs))
            )
    true_items = tuple(coco_truth.imgToAnns.get(i, []) for i in params.imgIds)
    found_items = tuple(
        sorted(coco_predicted.imgToAnns.get(i, []), key=lambda item: -item["score"])
        for i in params.imgIds
    )
    return ObjectMatches(
        by_size,
        pair.classes,
        np.asarray(params.iouThrs),
        np.asarray(params.recThrs),
        true_items,
        found_items,
        tuple(
            _pairs(evaluator.evalImgs, index, len(params.areaRng), pictures, truth_, found)
            for index, (truth_, found) in enumerate(zip(true_items, found_items, strict=True))
        ),
    )


def _collect(pictures: list[dict[str, Any] | None], thresholds: int) -> Matches:
    """The matches of one class in one range of sizes."""
    positives = np.zeros(len(pictures), dtype=np.int64)
    picture: list[npt.NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    scores: list[npt.NDArray[np.float64]] = [np.zeros(0)]
    hit: list[npt.NDArray[np.bool_]] = [np.zeros((thresholds, 0), dtype=np.bool_)]
    ignored: list[npt.NDArray[np.bool_]] = [np.zeros((thresholds, 0), dtype=np.bool_)]
    for index, found in enumerate(pictures):
        if not found:
            continue
        positives[index] = int(np.count_nonzero(np.asarray(found["gtIgnore"]) == 0))
        own = np.asarray(found["dtScores"], dtype=np.float64)
        picture.append(np.full(len(own), index, dtype=np.int64))
        scores.append(own)
        hit.append(np.asarray(found["dtMatches"]).reshape(thresholds, -1) > 0)
        ignored.append(np.asarray(found["dtIgnore"]).reshape(thresholds, -1).astype(np.bool_))
    all_scores = np.concatenate(scores)
    # The order of COCO's own accumulation: stable, so that equal scores stay as pictures come.
    order = np.argsort(-all_scores, kind="mergesort")
    return Matches(
        np.concatenate(picture)[order],
        all_scores[order],
        np.concatenate(hit, axis=1)[:, order],
        np.concatenate(ignored, axis=1)[:, order],
        positives,
    )


def _pairs(
    found: list[dict[str, Any] | None],
    picture: int,
    sizes: int,
    pictures: int,
    truth: list[dict[str, Any]],
    predicted: list[dict[str, Any]],
) -> list[tuple[int, int]]:
    """Indices of predicted and true objects that were matched at the first threshold."""
    true_index = {item["id"]: index for index, item in enumerate(truth)}
    found_index = {item["id"]: index for index, item in enumerate(predicted)}
    matched = []
    for category in range(len(found) // (sizes * pictures)):
        own = found[category * sizes * pictures + picture]
        if not own:
            continue
        matches = np.asarray(own["dtMatches"])
        ignored = np.asarray(own["dtIgnore"])
        if not matches.size:
            continue
        for place, true_id in enumerate(matches[0]):
            if true_id > 0 and not ignored[0][place]:
                matched.append((found_index[own["dtIds"][place]], true_index[int(true_id)]))
    return matched
