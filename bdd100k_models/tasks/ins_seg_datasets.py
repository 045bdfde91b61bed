"""BDD100K's instance segmentation dataset for MMDetection's training and validation.

Importing this module registers it: ``BDD100KInsSegDataset`` in configs.
"""

from mmdet.datasets import DATASETS

from bdd100k_models.tasks.det_datasets import NamedClassesDataset
from bdd100k_models.zoo import classes


@DATASETS.register_module()
class BDD100KInsSegDataset(NamedClassesDataset):
    """``ins_seg_*_cocofmt.json`` with the class order of the published weights."""

    CLASSES = classes.INS_SEG
    masks = True
