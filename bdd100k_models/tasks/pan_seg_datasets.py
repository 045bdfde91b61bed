"""BDD100K's panoptic dataset for MMDetection's training and validation.

Importing this module registers it: ``BDD100KPanSegDataset`` in configs. MMDetection's own panoptic
dataset needs panopticapi, which no package index has, and numbers the classes as the annotation
file lists them; this one reads the file itself, maps by name and scores with the BDD100K toolkit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from mmdet.datasets import DATASETS, CustomDataset

from bdd100k_models import evaluation
from bdd100k_models.data.annotations import read_coco
from bdd100k_models.frames.panoptic import panoptic_bitmask, rgb_to_id
from bdd100k_models.tasks.det_datasets import category_ids
from bdd100k_models.tasks.label_checks import check_labels_of
from bdd100k_models.zoo import classes

_THINGS = len(classes.PAN_SEG_THINGS)
#: Attribute of a bitmask: the segment is a crowd, and counts neither for nor against.
_CROWD = 2


@DATASETS.register_module()
class BDD100KPanSegDataset(CustomDataset):
    """``pan_seg_*_cocofmt.json`` with its PNGs, classes in the order of the published weights.

    Args:
        ins_ann_file: named by the published configs for MMDetection's instance metrics; panoptic
            quality does not need it.
    """

    CLASSES = classes.PAN_SEG

    def __init__(self, *args: Any, ins_ann_file: str | None = None, **kwargs: Any) -> None:
        self.ins_ann_file = ins_ann_file
        super().__init__(*args, **kwargs)
        check_labels_of(self)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """One entry per image: file, size, and its segments with class indices.

        Raises:
            UserError: see :func:`read_coco`; or a class that the file does not list.
        """
        content = read_coco(Path(ann_file), panoptic=True)
        ids = category_ids(content["categories"], self.CLASSES, ann_file)
        label_of = {cat_id: label for label, cat_id in enumerate(ids)}
        annotations: dict[int, dict[str, Any]] = defaultdict(dict)
        for annotation in content["annotations"]:
            annotations[annotation["image_id"]] = annotation
        infos = []
        for image in content["images"]:
            own = annotations[image["id"]]
            segments = [
                {**segment, "label": label_of[segment["category_id"]]}
                for segment in own.get("segments_info", ())
                if segment["category_id"] in label_of
            ]
            png = own.get("file_name", str(Path(image["file_name"]).with_suffix(".png")))
            infos.append(
                {**image, "filename": image["file_name"], "segm_file": png, "segments": segments}
            )
        return infos

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Boxes of the things, and the segments in the form of ``LoadPanopticAnnotations``."""
        info = self.data_infos[idx]
        boxes: list[list[float]] = []
        labels: list[int] = []
        crowds: list[list[float]] = []
        masks: list[dict[str, Any]] = []
        for segment in info["segments"]:
            x, y, width, height = segment["bbox"]
            if segment["area"] <= 0 or width < 1 or height < 1:
                continue
            is_thing = segment["label"] < _THINGS
            if is_thing and segment.get("iscrowd"):
                crowds.append([x, y, x + width, y + height])
                is_thing = False
            elif is_thing:
                boxes.append([x, y, x + width, y + height])
                labels.append(segment["label"])
            masks.append({"id": segment["id"], "category": segment["label"], "is_thing": is_thing})
        return {
            "bboxes": np.array(boxes, dtype=np.float32).reshape(-1, 4),
            "labels": np.array(labels, dtype=np.int64),
            "bboxes_ignore": np.array(crowds, dtype=np.float32).reshape(-1, 4),
            "masks": masks,
            "seg_map": info["segm_file"],
        }

    def get_cat_ids(self, idx: int) -> list[int]:
        """Class indices of the things of an image."""
        found: list[int] = self.get_ann_info(idx)["labels"].tolist()
        return found

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        """Images that are large enough and, unless asked otherwise, show a thing."""
        return [
            idx
            for idx, info in enumerate(self.data_infos)
            if min(info["width"], info["height"]) >= min_size
            and (not self.filter_empty_gt or len(self.get_ann_info(idx)["labels"]))
        ]

    def evaluate(
        self, results: Sequence[dict[str, np.ndarray]], metric: Any = "PQ", **kwargs: Any
    ) -> dict[str, float]:
        """Panoptic quality in percent by the official evaluator.

        ``results``: ``pan_results`` of each image, (H, W), class index + 1000 * instance.
        """
        with TemporaryDirectory() as folder:
            truth, predicted = Path(folder, "truth"), Path(folder, "predicted")
            truth.mkdir()
            predicted.mkdir()
            for idx, result in enumerate(results):
                _write_bitmask(truth / f"{idx:08d}.png", self._true_bitmask(idx))
                bitmask = panoptic_bitmask(
                    result["pan_results"], classes.PAN_SEG_THINGS, classes.PAN_SEG_STUFF
                )
                _write_bitmask(predicted / f"{idx:08d}.png", bitmask)
            scores = evaluation.evaluate("pan_seg", truth, predicted, form="masks")
        return {name: float(scores.summary[name]) for name in ("PQ", "SQ", "RQ")}

    def _true_bitmask(self, idx: int) -> np.ndarray:
        """(H, W, 4) uint8, the annotation as the toolkit's bitmask."""
        info = self.data_infos[idx]
        picture = cv2.imread(str(Path(self.seg_prefix or "", info["segm_file"])), cv2.IMREAD_COLOR)
        ids = rgb_to_id(picture[..., ::-1])
        bitmask = np.zeros((*ids.shape, 4), dtype=np.uint8)
        for segment in info["segments"]:
            stuff = segment["label"] - _THINGS
            category = stuff + 1 if stuff >= 0 else len(self.CLASSES) + stuff + 1
            attributes = _CROWD if segment.get("iscrowd") else 0
            number = segment["id"]
            bitmask[ids == number] = category, attributes, number >> 8 & 255, number & 255
        return bitmask


def _write_bitmask(path: Path, bitmask: np.ndarray) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(bitmask, cv2.COLOR_RGBA2BGRA))
