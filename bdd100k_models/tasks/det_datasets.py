"""BDD100K's detection dataset for MMDetection's training and validation.

Importing this module registers it: ``BDD100KDetDataset`` in configs.
"""

from pathlib import Path
from typing import Any

from mmdet.datasets import DATASETS, CocoDataset

from bdd100k_models.data.annotations import read_coco
from bdd100k_models.errors import UserError
from bdd100k_models.tasks.label_checks import check_labels_of
from bdd100k_models.zoo import classes


class NamedClassesDataset(CocoDataset):
    """COCO annotations whose class indices come from category names.

    MMDetection (2.28.2) numbers classes as the annotation file lists its categories.
    """

    #: Whether every annotation must have the outline of its object.
    masks = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_labels_of(self)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        read_coco(Path(ann_file), masks=self.masks)
        infos: list[dict[str, Any]] = super().load_annotations(ann_file)
        self.cat_ids = category_ids(self.coco.dataset["categories"], self.CLASSES, ann_file)
        self.cat2label = {cat_id: label for label, cat_id in enumerate(self.cat_ids)}
        return infos


def category_ids(
    categories: list[dict[str, Any]], names: tuple[str, ...], ann_file: str
) -> list[int]:
    """The id of each class in an annotation file, in the order of ``names``.

    Raises:
        UserError: a class that the file does not list.
    """
    ids = {category["name"]: int(category["id"]) for category in categories}
    missing = [name for name in names if name not in ids]
    if missing:
        raise UserError(
            f"{ann_file} has no category {', '.join(missing)}; run tools/prepare_data.py"
        )
    return [ids[name] for name in names]


@DATASETS.register_module()
class BDD100KDetDataset(NamedClassesDataset):
    """``det_*_cocofmt.json`` with the class order of the published weights."""

    CLASSES = classes.DET
