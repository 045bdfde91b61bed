"""BDD100K's semantic maps for MMSegmentation's training and validation.

Importing this module registers ``BDD100KSemSegDataset`` and ``BDD100KDrivableDataset``.
"""

from mmseg.datasets import DATASETS, CustomDataset

from bdd100k_models.zoo import classes


@DATASETS.register_module()
class BDD100KSemSegDataset(CustomDataset):
    """``images/10k/*.jpg`` with ``labels/sem_seg/masks/*.png``: class indices, 255 for none."""

    CLASSES = classes.SEM_SEG


@DATASETS.register_module()
class BDD100KDrivableDataset(CustomDataset):
    """``images/100k/*.jpg`` with ``labels/drivable/masks/*.png``: 0, 1 and 2 for background."""

    CLASSES = classes.DRIVABLE
