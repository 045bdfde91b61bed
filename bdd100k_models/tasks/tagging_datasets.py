"""BDD100K's image tags for MMClassification's training and validation.

Importing this module registers ``BDD100KWeatherTaggingDataset`` and
``BDD100KSceneTaggingDataset``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mmcls.datasets import DATASETS, BaseDataset

from bdd100k_models.data.tags import read_tags
from bdd100k_models.zoo import classes


class TaggingDataset(BaseDataset):
    """The images of a Scalabel JSON file that have the attribute, with its value as class.

    ``ann_file`` is ``labels/det_20/det_*.json`` or the file of 2018.
    """

    attribute: str

    def load_annotations(self) -> list[dict[str, Any]]:
        """One record for mmcls's pipelines per image."""
        index = {name: i for i, name in enumerate(self.CLASSES)}
        return [
            {
                "img_prefix": self.data_prefix,
                "img_info": {"filename": name},
                "gt_label": np.array(index[value], dtype=np.int64),
            }
            for name, value in read_tags(Path(self.ann_file), self.attribute).items()
            if value in index
        ]


@DATASETS.register_module()
class BDD100KWeatherTaggingDataset(TaggingDataset):
    """Weather."""

    attribute = "weather"
    CLASSES = classes.WEATHER


@DATASETS.register_module()
class BDD100KSceneTaggingDataset(TaggingDataset):
    """Scene."""

    attribute = "scene"
    CLASSES = classes.SCENE
