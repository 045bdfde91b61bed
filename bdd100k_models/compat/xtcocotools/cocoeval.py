"""Object keypoint similarity and its average precision, for any set of keypoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import cocoeval

__all__ = ["COCOeval"]

#: Area of a person where no annotation has one, as a part of the box (xtcocotools 1.14.3).
PART_OF_BOX = 0.53


class COCOeval(cocoeval.COCOeval):
    """`pycocotools.cocoeval.COCOeval` with the arguments and rules of xtcocotools 1.14.3.

    A person without a labelled keypoint is ignored, whatever `num_keypoints` says; a detection
    whose keypoints all have score 0 does not count.

    Args:
        cocoGt: ground truth.
        cocoDt: what its `loadRes` gave.
        iouType: ``keypoints``, ``bbox`` or ``segm``.
        sigmas: (K,), spread of each keypoint; those of COCO's 17 by default.
        use_area: False where annotations have boxes and no area.

    Raises:
        NotImplementedError: a variant of xtcocotools for CrowdPose or COCO-WholeBody.
    """

    def __init__(
        self,
        cocoGt: Any = None,  # noqa: N803 (pycocotools' names)
        cocoDt: Any = None,  # noqa: N803
        iouType: str = "keypoints",  # noqa: N803
        sigmas: Any = None,
        use_area: bool = True,
    ) -> None:
        if iouType not in ("keypoints", "bbox", "segm"):
            raise NotImplementedError(
                f"scores of type {iouType!r} need xtcocotools, which bdd100k_models replaces by "
                "pycocotools; score them in a process that does not import bdd100k_models"
            )
        super().__init__(cocoGt, cocoDt, iouType)
        self.use_area = use_area
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)

    def _prepare(self) -> None:
        """Bring annotations into the form in which pycocotools scores by the rules above."""
        keypoints = self.params.iouType == "keypoints"
        for annotation in self.cocoGt.dataset.get("annotations", ()):
            if keypoints:
                annotation["num_keypoints"] = _labelled(annotation)
            if not self.use_area or "area" not in annotation:
                annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3] * PART_OF_BOX
        super()._prepare()
        if keypoints:
            for place, detections in self._dts.items():
                self._dts[place] = [one for one in detections if _labelled(one)]
        # pycocotools takes the id 0 of an annotation for no match.
        least = min((one["id"] for found in self._gts.values() for one in found), default=1)
        if least < 1:
            for place, truth in self._gts.items():
                self._gts[place] = [{**one, "id": one["id"] + 1 - least} for one in truth]


def _labelled(annotation: Any) -> int:
    """Number of keypoints whose flag or score is above 0."""
    return int(np.count_nonzero(np.array(annotation["keypoints"][2::3]) > 0))
