"""mmdet 2.x on numpy >= 1.24, and without panopticapi. They can go with mmdet 2.x."""

from typing import Any

from bdd100k_models.compat.old_numpy import OldNumpy
from bdd100k_models.compat.registry import bridge


@bridge("mmdet.core.bbox.samplers.iou_balanced_neg_sampler")
@bridge("mmdet.datasets.custom")
def numpy_int(module: Any) -> None:
    """`IoUBalancedNegSampler` (Libra R-CNN) and `CustomDataset.get_cat_ids` use ``np.int``."""
    module.np = OldNumpy(int=int)


@bridge("mmdet.datasets.pipelines.loading")
def panoptic_loading(module: Any) -> None:
    """`LoadPanopticAnnotations` asks for panopticapi, which no package index has, for one line."""
    if module.rgb2id is None:
        from bdd100k_models.frames.panoptic import rgb_to_id

        module.rgb2id = rgb_to_id


@bridge("mmdet.datasets.coco_panoptic")
def panoptic_dataset(module: Any) -> None:
    """`CocoPanopticDataset` asks for panopticapi before it reads its annotations.

    Scoring still needs it there; the zoo scores with the BDD100K toolkit.
    """
    if module.panopticapi is None:
        module.panopticapi = module
