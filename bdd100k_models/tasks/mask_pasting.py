"""Instance masks put into the image box by box, instead of one full image for each instance.

A mask head predicts a small grid of probabilities for each box. MMDetection (2.28.2) samples it at
every pixel of the image, and in a program for 100 boxes holds 100 images; all that is not near the
box is zero. Here only the pixels around each box are sampled, by the same arithmetic, so the bits
are the same for the threshold of 0.5 that the published models have, and for every higher one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from mmdet.core import bbox2roi
from mmdet.core.evaluation.panoptic_utils import INSTANCE_OFFSET
from torch import nn

from bdd100k_models.frames.instance import CroppedMask
from bdd100k_models.models.mask_grids import paste_masks
from bdd100k_models.tasks.enlarging import Enlargement, Window, class_maps


def crop_instance_masks(model: nn.Module) -> None:
    """From now on the mask heads of ``model`` give `CroppedMask`s in the place of full images."""
    from mmdet.models.roi_heads.mask_heads import FCNMaskHead

    for module in model.modules():
        if isinstance(module, FCNMaskHead):
            module.get_seg_masks = partial(_cropped_seg_masks, module)


def _cropped_seg_masks(
    head: Any,
    mask_pred: torch.Tensor | np.ndarray,
    det_bboxes: torch.Tensor,
    det_labels: torch.Tensor,
    rcnn_test_cfg: Any,
    ori_shape: tuple[int, ...],
    scale_factor: torch.Tensor,
    rescale: bool,
) -> list[list[CroppedMask]]:
    """Stands in for ``FCNMaskHead.get_seg_masks``: the masks of each class, in image size.

    ``mask_pred``: (N, classes, h, w), logits; probabilities if it is an array, as cascades give it.
    """
    if not rescale:
        raise ValueError("masks are pasted into the original image only")
    if isinstance(mask_pred, torch.Tensor):
        probabilities = mask_pred.sigmoid()
    else:
        probabilities = det_bboxes.new_tensor(mask_pred)
    height, width = ori_shape[:2]
    masks = paste_masks(
        _of_class(probabilities, det_labels, head.class_agnostic),
        det_bboxes[:, :4] / torch.as_tensor(scale_factor).to(det_bboxes),
        height,
        width,
        rcnn_test_cfg.mask_thr_binary,
    )
    by_class: list[list[CroppedMask]] = [[] for _ in range(head.num_classes)]
    for label, mask in zip(det_labels.tolist(), masks, strict=True):
        by_class[label].append(mask)
    return by_class


def _of_class(grids: torch.Tensor, labels: torch.Tensor, class_agnostic: bool) -> torch.Tensor:
    """(N, classes, h, w) and (N,) -> (N, h, w), the grid of each instance's own class."""
    if class_agnostic:
        return grids[:, 0]
    return grids[torch.arange(len(grids), device=grids.device), labels]


def crop_panoptic_masks(model: Any) -> None:
    """From now on a Panoptic FPN pastes and fuses its instances box by box.

    The map that comes out has the bits of MMDetection's ``HeuristicFusionHead``, but where two
    kinds of stuff are equal within rounding; see ``tasks/enlarging.py``.
    """
    fusion, semantic = model.panoptic_fusion_head, model.semantic_head
    model.simple_test_mask = partial(_panoptic_instances, model)
    semantic.simple_test = partial(_semantic_maps, semantic)
    fusion.simple_test = partial(_fuse, fusion)


def _panoptic_instances(
    model: Any,
    x: tuple[torch.Tensor, ...],
    img_metas: list[dict[str, Any]],
    det_bboxes: list[torch.Tensor],
    det_labels: list[torch.Tensor],
    rescale: bool = False,
) -> dict[str, list[list[CroppedMask]]]:
    """Stands in for ``TwoStagePanopticSegmentor.simple_test_mask``: masks of each image."""
    if not rescale:
        raise ValueError("masks are pasted into the original image only")
    if not any(len(boxes) for boxes in det_bboxes):
        return {"masks": [[] for _ in det_bboxes]}
    in_network = [
        boxes[:, :4] * boxes.new_tensor(meta["scale_factor"])
        for boxes, meta in zip(det_bboxes, img_metas, strict=True)
    ]
    logits = model.roi_head._mask_forward(x, bbox2roi(in_network))["mask_pred"]
    head = model.roi_head.mask_head
    threshold = model.panoptic_fusion_head.test_cfg.mask_thr_binary
    masks = []
    for place, grids in enumerate(logits.split([len(boxes) for boxes in det_bboxes])):
        own = _of_class(grids.sigmoid(), det_labels[place], head.class_agnostic)
        height, width = img_metas[place]["ori_shape"][:2]
        masks.append(paste_masks(own, det_bboxes[place][:, :4], height, width, threshold))
    return {"masks": masks}


def _semantic_maps(
    head: Any, x: tuple[torch.Tensor, ...], img_metas: list[dict[str, Any]], rescale: bool = False
) -> torch.Tensor:
    """Stands in for ``BaseSemanticHead.simple_test``: (N, H, W) uint8 classes, and not logits.

    The pictures are of one shape.
    """
    if not rescale:
        raise ValueError("semantic maps are made for the original image only")
    meta = img_metas[0]
    window = Window(head(x)["seg_preds"], *meta["pad_shape"][:2])
    sizes = (tuple(meta["img_shape"][:2]), tuple(meta["ori_shape"][:2]))
    return class_maps([window], Enlargement(*sizes, align_corners=False))


def _fuse(
    fusion: Any,
    det_bboxes: torch.Tensor,
    det_labels: torch.Tensor,
    masks: list[CroppedMask],
    semantic: torch.Tensor,
) -> torch.Tensor:
    """Stands in for ``HeuristicFusionHead.simple_test``: (H, W) int32 map of one image.

    Args:
        fusion: the head, for its numbers of classes and its thresholds.
        det_bboxes: (K, 5), x1 y1 x2 y2 score.
        det_labels: (K,).
        masks: of the K instances.
        semantic: (H, W), kind of stuff of each pixel; the number of kinds stands for all things.
    """
    cfg = fusion.test_cfg
    panoptic = semantic.cpu().numpy().astype(np.int32) + fusion.num_things_classes
    taken = np.zeros(panoptic.shape, dtype=np.bool_)
    labels = det_labels.tolist()
    instance = 0
    for place in torch.argsort(-det_bboxes[:, 4]).tolist() if len(masks) else []:
        mask = masks[place]
        region = np.s_[mask.y : mask.y + mask.crop.shape[0], mask.x : mask.x + mask.crop.shape[1]]
        visible = mask.crop & ~taken[region]
        area = np.count_nonzero(mask.crop)
        covered = area - np.count_nonzero(visible)
        # Single precision, as MMDetection divides.
        overlap = np.float32(covered) / (np.float32(area) + np.float32(1e-5))
        if not area or overlap > cfg.mask_overlap:
            continue
        instance += 1
        taken[region] |= visible
        panoptic[region][visible] = labels[place] + instance * INSTANCE_OFFSET
    classes = fusion.num_things_classes + fusion.num_stuff_classes
    sizes = np.bincount(panoptic[panoptic < INSTANCE_OFFSET], minlength=classes + 1)
    new = np.arange(len(sizes), dtype=panoptic.dtype)
    small = (sizes > 0) & (sizes < cfg.stuff_area_limit)
    new[small & (new >= fusion.num_things_classes)] = classes
    stuff = ~taken
    panoptic[stuff] = new[panoptic[stuff]]
    return torch.from_numpy(panoptic)
