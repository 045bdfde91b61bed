"""BDD100K's tracking datasets for the training of MMDetection's models.

Importing this module registers them: ``BDD100KMOTDataset`` and ``BDD100KMOTSDataset`` in configs.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from mmcv.parallel import DataContainer
from mmdet.datasets import DATASETS

from bdd100k_models.errors import UserError
from bdd100k_models.tasks.det_datasets import NamedClassesDataset
from bdd100k_models.zoo import classes

#: What steps of a pipeline draw at random and write down: a pair of frames shares it.
_SHARED = ("scale", "flip", "flip_direction")


class FramePairsDataset(NamedClassesDataset):
    """Pairs of a key frame and a reference frame of its video, in COCO form.

    A sample is that of the key frame, the reference's under names that begin with ``ref_``, and
    ``gt_match_indices``: which box of the reference is the same thing as each of the key frame's,
    -1 for none. Both go through the pipeline step by step and share what its steps draw.

    Args:
        ann_file: images have ``video_id`` and ``frame_id``, annotations ``instance_id``; nothing
            of that is needed without references.
        reference_frames: how far from the key frame its reference may be; 0: pictures, and each
            is its own reference.
        options: of MMDetection's ``CocoDataset``.
    """

    CLASSES = classes.TRACKED

    def __init__(self, ann_file: str, reference_frames: int = 3, **options: Any) -> None:
        self.reference_frames = reference_frames
        super().__init__(ann_file=ann_file, **options)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """The images of an annotation file.

        Raises:
            UserError: there are to be references, and the file knows no videos or identities.
        """
        infos = super().load_annotations(ann_file)
        self._videos: dict[Any, dict[int, dict[str, Any]]] = defaultdict(dict)
        if not self.reference_frames or self.test_mode:
            return infos
        for key, items in (
            ("video_id", infos),
            ("frame_id", infos),
            ("instance_id", self.coco.anns.values()),
        ):
            if not all(key in item for item in items):
                raise UserError(
                    f"{ann_file}: not everything in it has a {key}; run tools/prepare_data.py, or "
                    "set reference_frames=0 for pictures that are no videos"
                )
        for info in infos:
            self._videos[info["video_id"]][info["frame_id"]] = info
        return infos

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        """Frames that are not too small and, where that is asked for, have a box to learn from."""
        indices: list[int] = super()._filter_imgs(min_size)
        if not self.filter_empty_gt:
            return indices
        labelled = {
            annotation["image_id"]
            for annotation in self.coco.anns.values()
            if not annotation.get("ignore") and not annotation.get("iscrowd")
            if annotation["category_id"] in self.cat_ids
        }
        return [index for index in indices if self.data_infos[index]["id"] in labelled]

    def prepare_train_img(self, idx: int) -> dict[str, Any] | None:
        """A pair, or None where the key frame has no box, or a step refuses one of the two."""
        info = self.data_infos[idx]
        key, identities = self._loaded(info)
        if not identities:
            return None
        reference, others = self._loaded(self._reference_of(info))
        matches = [others.index(number) if number in others else -1 for number in identities]
        if max(matches) < 0:  # nothing of it stays in sight: as a picture
            reference, matches = self._loaded(info)[0], list(range(len(identities)))
        for step in self.pipeline.transforms:
            key = step(key)
            if key is None:
                return None
            drawn = {name: key[name] for name in _SHARED if name in key and name not in reference}
            reference = step({**reference, **drawn})
            if reference is None:
                return None
        kept = key["gt_bboxes"].data
        if len(kept) != len(matches):
            raise UserError(
                "data.train.pipeline drops boxes, so that identities are lost; leave out its steps "
                "that crop"
            )
        sample: dict[str, Any] = {**key, "gt_match_indices": DataContainer(torch.tensor(matches))}
        sample.update({f"ref_{name}": value for name, value in reference.items()})
        return sample

    def _reference_of(self, info: dict[str, Any]) -> dict[str, Any]:
        """Another frame of the video, each near one as likely; the same where there is none."""
        if not self.reference_frames:
            return info
        frames, place = self._videos[info["video_id"]], info["frame_id"]
        near = [
            frames[number]
            for number in range(place - self.reference_frames, place + self.reference_frames + 1)
            if number != place and number in frames
        ]
        return near[np.random.randint(len(near))] if near else info

    def _loaded(self, info: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """What a pipeline begins with, and the identities of its boxes."""
        annotations = self.coco.load_anns(self.coco.get_ann_ids(img_ids=[info["id"]]))
        usable = [
            annotation
            for annotation in annotations
            if len(self._parse_ann_info(info, [annotation])["bboxes"])
        ]
        name = "instance_id" if self.reference_frames else "id"
        results = {"img_info": info, "ann_info": self._parse_ann_info(info, annotations)}
        self.pre_pipeline(results)
        return results, [annotation[name] for annotation in usable]


@DATASETS.register_module()
class BDD100KMOTDataset(FramePairsDataset):
    """Boxes with identities: ``box_track_*_cocofmt.json``, or pictures with boxes."""


@DATASETS.register_module()
class BDD100KMOTSDataset(FramePairsDataset):
    """Masks with identities: ``seg_track_*_cocofmt.json``, or pictures with masks."""
