"""Annotations of COCO's form, where `iscrowd` may be missing and results may be none."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from pycocotools import coco

__all__ = ["COCO"]


class COCO(coco.COCO):
    """`pycocotools.coco.COCO` with what xtcocotools 1.14.3 adds.

    Args:
        annotation_file: JSON of COCO's form.
        test_index: the keypoints to keep of each annotation; all by default.
    """

    def __init__(
        self, annotation_file: str | None = None, test_index: list[int] | None = None
    ) -> None:
        super().__init__(annotation_file)
        self.anno_file = [annotation_file]
        self.test_index = test_index
        for annotation in self.dataset.get("annotations", ()):
            annotation.setdefault("iscrowd", False)
            if test_index is not None:
                points = np.array(annotation["keypoints"]).reshape(-1, 3)
                annotation["keypoints"] = points[test_index].ravel().tolist()

    def loadRes(self, resFile: Any) -> coco.COCO:  # noqa: N802, N803 (pycocotools' names)
        """Results as annotations; pycocotools itself fails where there are none."""
        found = resFile
        if isinstance(found, (str, os.PathLike)):
            with open(found, encoding="utf-8") as file:
                found = json.load(file)
        if len(found):
            return super().loadRes(found)
        results = COCO()
        results.dataset = {
            "images": self.dataset["images"],
            "categories": self.dataset.get("categories", []),
            "annotations": [],
        }
        results.createIndex()
        return results
