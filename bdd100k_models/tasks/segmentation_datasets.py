"""BDD100K's semantic maps for MMSegmentation's training and validation.

Importing this module registers ``BDD100KSemSegDataset`` and ``BDD100KDrivableDataset``.
"""

from typing import Any

from mmseg.datasets import DATASETS, CustomDataset

from bdd100k_models.tasks.label_checks import check_labels_of
from bdd100k_models.zoo import classes


class ClassMapDataset(CustomDataset):
    """Pictures with class maps, which are checked as they are loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_labels_of(self)


@DATASETS.register_module()
class BDD100KSemSegDataset(ClassMapDataset):
    """``images/10k/*.jpg`` with ``labels/sem_seg/masks/*.png``: class indices, 255 for none."""

    CLASSES = classes.SEM_SEG


@DATASETS.register_module()
class BDD100KDrivableDataset(ClassMapDataset):
    """``images/100k/*.jpg`` with ``labels/drivable/masks/*.png``: 0, 1 and 2 for background."""

    CLASSES = classes.DRIVABLE
