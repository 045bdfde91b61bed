"""BDD100K's pose dataset for MMPose's training and validation.

Importing this module registers it: ``TopDownBDD100KPoseDataset`` in configs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmpose.datasets import DATASETS
from mmpose.datasets.datasets import TopDownCocoDataset

from bdd100k_models.data.annotations import read_coco
from bdd100k_models.tasks.pose_boxes import predicted_boxes
from bdd100k_models.zoo import classes


@DATASETS.register_module()
class TopDownBDD100KPoseDataset(TopDownCocoDataset):
    """``pose_*_cocofmt.json``, one sample per person.

    For validation ``data_cfg.bbox_file`` is a ``det.json`` of this zoo. Where there is no such
    file, the annotated boxes are used: the scores then tell how training goes, but are not
    comparable with those on detected boxes.
    """

    def __init__(
        self,
        ann_file: str,
        img_prefix: str,
        data_cfg: Mapping[str, Any],
        pipeline: Sequence[Any],
        dataset_info: Mapping[str, Any] | None = None,
        test_mode: bool = False,
    ) -> None:
        bbox_file = data_cfg.get("bbox_file")
        use_gt_bbox = data_cfg.get("use_gt_bbox") or not (bbox_file and os.path.isfile(bbox_file))
        read_coco(Path(ann_file), keypoints=data_cfg["num_joints"])
        super().__init__(
            ann_file,
            os.path.join(img_prefix, ""),  # the parent class cuts it off file names
            {**data_cfg, "use_gt_bbox": use_gt_bbox},
            pipeline,
            dataset_info=dataset_info,
            test_mode=test_mode,
        )

    def _load_coco_person_detection_results(self) -> list[dict[str, Any]]:
        """Samples from the boxes of a det.json; images that the annotations lack are left out."""
        found = predicted_boxes(Path(self.bbox_file), (classes.POSE_CATEGORY,), self.det_bbox_thr)
        joints = (self.ann_info["num_joints"], 3)
        samples = [
            {
                "image_file": os.path.join(self.img_prefix, name),
                "rotation": 0,
                "bbox": list(box[:4]),
                "bbox_score": box.score,
                "dataset": self.dataset_name,
                "joints_3d": np.zeros(joints, dtype=np.float32),
                "joints_3d_visible": np.ones(joints, dtype=np.float32),
            }
            for name, boxes in found.items()
            if name in self.name2id
            for box in boxes
        ]
        return [sample | {"bbox_id": index} for index, sample in enumerate(samples)]
