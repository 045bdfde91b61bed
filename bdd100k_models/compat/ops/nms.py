"""Non-maximum suppression: hard, soft, and the one that tells what was suppressed by what."""

import numpy as np
import torch
import torchvision
from torch import Tensor

from bdd100k_models.compat.ops.dtypes import widen

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


def nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    offset: int = 0,
    score_threshold: float = 0.0,
    max_num: int = -1,
) -> Tensor:
    """Greedy suppression of boxes that overlap one of higher score.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels.
        scores: (N,).
        iou_threshold: a box goes when its IoU with a kept one is greater than this.
        offset: 0, or 1 where x2 and y2 name the last pixel inside, so that width is x2 - x1 + 1.
        score_threshold: where it is above 0, only boxes of a greater score take part.
        max_num: where it is above 0, no more boxes are kept.

    Returns:
        (K,) int64, indices of what is kept, by descending score; equal scores in input order.
    """
    rows = None
    if score_threshold > 0:
        rows = torch.nonzero(scores > score_threshold)[:, 0]
        boxes, scores = boxes[rows], scores[rows]
    boxes = widen(boxes)
    if offset:
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    # The compiled op holds the threshold in float32, which decides for an IoU equal to it.
    threshold = float(np.float32(iou_threshold))
    kept = torchvision.ops.nms(boxes, widen(scores).to(boxes.dtype), threshold)
    if max_num > 0:
        kept = kept[:max_num]
    return kept if rows is None else rows[kept]


def nms_by_class(
    boxes: Tensor,
    scores: Tensor,
    classes: Tensor,
    iou_threshold: float,
    score_threshold: float = 0.0,
    max_num: int = -1,
) -> Tensor:
    """What mmcv's `batched_nms` keeps, one class after the other.

    mmcv moves each class to a place of its own and runs all boxes through one `nms`, whose time
    grows with boxes times kept boxes. The boxes are moved here too, as their IoU is rounded there.

    Args:
        boxes: (N, 4), x1 y1 x2 y2, pixels, none negative.
        scores: (N,).
        classes: (N,) int64; boxes of different classes do not suppress each other.
        iou_threshold: as of `nms`; likewise `score_threshold` and `max_num`, which holds for all
            classes together.

    Returns:
        (K,) int64, indices of what is kept, by descending score; equal scores in input order.
    """
    moved = boxes + (classes.to(boxes) * (boxes.max() + 1))[:, None]
    sizes = torch.unique(classes, return_counts=True)[1].tolist()
    kept = [
        rows[nms(moved[rows], scores[rows], iou_threshold, score_threshold=score_threshold)]
        for rows in classes.argsort(stable=True).split(sizes)
    ]
    together = torch.cat(kept).sort().values
    together = together[scores[together].sort(descending=True, stable=True).indices]
    return together[:max_num] if max_num > 0 else together


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (Bodla et al. 2017): lower the scores of overlapping boxes instead of dropping them.

    Args:
        boxes: (N, 4) on CPU, x1 y1 x2 y2, pixels.
        scores: (N,) on CPU.
        dets: (N, 5) on CPU; its first K rows receive box and lowered score.
        iou_threshold: overlap from which the naive and the linear method act.
        sigma: width of the gaussian method.
        min_score: a box whose score falls below this is dropped.
        method: 0 naive (score to zero), 1 linear (times 1 - IoU), 2 gaussian.
        offset: 0 or 1, as in `nms`.

    Returns:
        (K,) int64, indices of the rows written, in the order of selection.
    """
    rest = torch.cat([widen(boxes), widen(scores)[:, None]], dim=1).detach().numpy().copy()
    kind = rest.dtype.type
    inds = np.arange(len(rest))
    kept = 0
    while kept < len(rest):
        # The compiled op swaps the best of the rest to the front.
        best = kept + int(rest[kept:, 4].argmax())
        rest[[kept, best]] = rest[[best, kept]]
        inds[[kept, best]] = inds[[best, kept]]
        box, others = rest[kept], rest[kept + 1 :]
        kept += 1
        overlap = _iou(box, others, kind(offset))
        if method == GAUSSIAN:
            weight = np.exp(-(overlap * overlap) / kind(sigma))
        else:
            lowered = 1 - overlap if method == LINEAR else np.zeros_like(overlap)
            weight = np.where(overlap >= kind(iou_threshold), lowered, kind(1))
        others[:, 4] *= weight
        alive = others[:, 4] >= kind(min_score)
        count = int(alive.sum())
        # It fills the place of a dropped box from the end, which orders boxes of equal score.
        holes = kept + np.flatnonzero(~alive[:count])
        fillers = kept + count + np.flatnonzero(alive[count:])[::-1]
        rest[holes], inds[holes] = rest[fillers], inds[fillers]
        rest, inds = rest[: kept + count], inds[: kept + count]
    dets[:kept] = torch.from_numpy(rest).to(dets.dtype)
    return torch.from_numpy(inds)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups of boxes, each the kept one first and then those that it suppresses.

    Args:
        dets: (N, 5), x1 y1 x2 y2 in pixels, and score.
        iou_threshold: a box joins a group when its IoU with the kept one is at least this.

    Returns:
        indices into `dets`, groups and their members by descending score.
    """
    rows = widen(dets).detach().cpu()
    order = rows[:, 4].sort(descending=True, stable=True).indices.numpy()
    boxes = rows.numpy()
    groups = []
    while len(order):
        first, others = order[0], order[1:]
        overlap = _iou(boxes[first], boxes[others], boxes.dtype.type(0))
        same = overlap >= boxes.dtype.type(iou_threshold)
        groups.append([int(first), *others[same].tolist()])
        order = others[~same]
    return groups


def _iou(box: np.ndarray, others: np.ndarray, offset: np.floating) -> np.ndarray:
    """IoU of one box with N others, (N,); 0 / 0 is taken as no overlap."""
    size = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2]) + offset
    inter = np.maximum(size, 0).prod(axis=1)
    area = (box[2:4] - box[:2] + offset).prod()
    areas = (others[:, 2:4] - others[:, :2] + offset).prod(axis=1)
    union = area + areas - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union != 0)
