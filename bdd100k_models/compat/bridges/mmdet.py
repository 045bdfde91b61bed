"""mmdet 2.x on numpy >= 1.24, without panopticapi, the same in each run. They can go with it."""

import functools
from typing import Any

from bdd100k_models.compat.old_numpy import OldNumpy
from bdd100k_models.compat.registry import bridge


@bridge("mmdet.core.bbox.samplers.iou_balanced_neg_sampler")
@bridge("mmdet.datasets.custom")
def numpy_int(module: Any) -> None:
    """`IoUBalancedNegSampler` (Libra R-CNN) and `CustomDataset.get_cat_ids` use ``np.int``."""
    module.np = OldNumpy(int=int)


@bridge("mmdet.core.bbox.samplers.iou_balanced_neg_sampler")
def one_floor(module: Any) -> None:
    """`IoUBalancedNegSampler` (mmdet 2.28.2) takes its threshold of -1 for 0 after the first call.

    So that a run which goes on after a break draws other regions than one without. 0 it is from
    the beginning.
    """
    sampler = module.IoUBalancedNegSampler
    original = sampler.__init__

    @functools.wraps(original)
    def initialise(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self.floor_thr = max(self.floor_thr, 0)

    sampler.__init__ = initialise


@bridge("mmdet.core.bbox.samplers.instance_balanced_pos_sampler")
def numbers_in_sets(module: Any) -> None:
    """`InstanceBalancedPosSampler` (mmdet 2.28.2) takes the difference of two sets of tensors.

    No two tensors are equal there, and their order is that of addresses in memory: what it fills
    up with may have been drawn already, and is another in each run.
    """

    def _sample_pos(self: Any, assign_result: Any, num_expected: int, **options: Any) -> Any:
        import torch

        things = assign_result.gt_inds
        positive = (things > 0).nonzero().flatten()
        if len(positive) <= num_expected:
            return positive
        unique = things[positive].unique()
        share = round(num_expected / len(unique)) + 1
        drawn = []
        for thing in unique:
            own = (things == thing).nonzero().flatten()
            drawn.append(self.random_choice(own, share) if len(own) > share else own)
        sampled = torch.cat(drawn)
        if len(sampled) > num_expected:
            return self.random_choice(sampled, num_expected)
        rest = positive[~torch.isin(positive, sampled)]
        wanted = min(num_expected - len(sampled), len(rest))
        return torch.cat([sampled, self.random_choice(rest, wanted)])

    module.InstanceBalancedPosSampler._sample_pos = _sample_pos


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
