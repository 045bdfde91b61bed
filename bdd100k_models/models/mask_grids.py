"""The small grids of mask heads, put into the image."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bdd100k_models.frames.instance import CroppedMask


def paste_masks(
    probabilities: torch.Tensor, boxes: torch.Tensor, height: int, width: int, threshold: float
) -> list[CroppedMask]:
    """The masks of the instances of one image.

    Args:
        probabilities: (N, h, w), the grid of each box.
        boxes: (N, 4), x1 y1 x2 y2, pixels of the image.
        height: height of the image, pixels.
        width: width of the image, pixels.
        threshold: a pixel from this probability on belongs to the mask.
    """
    if not len(boxes):
        return []
    boxes = boxes.float()
    corners = boxes.cpu().numpy()
    limits = (width, height)
    first = np.clip(np.floor(corners[:, :2]) - 1, 0, limits).astype(np.int64)
    last = np.clip(np.ceil(corners[:, 2:]) + 1, first, limits).astype(np.int64)
    places: list[list[int]] = np.concatenate([first, last], axis=1).tolist()
    columns = _grid_coordinates(boxes[:, 0:1], boxes[:, 2:3], width)
    rows = _grid_coordinates(boxes[:, 1:2], boxes[:, 3:4], height)
    sampled: list[torch.Tensor] = []
    for i, (x1, y1, x2, y2) in enumerate(places):
        if x1 == x2 or y1 == y2:
            continue
        x, y = columns[i, x1:x2], rows[i, y1:y2]
        grid = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))], dim=2)
        values = nn.functional.grid_sample(
            probabilities[i, None, None].float(), grid[None], align_corners=False
        )
        sampled.append((values >= threshold).flatten())
    # One transfer for all masks: they may be on a GPU.
    pixels = torch.cat(sampled).cpu().numpy() if sampled else np.zeros(0, dtype=np.bool_)
    masks, begin = [], 0
    for x1, y1, x2, y2 in places:
        end = begin + (y2 - y1) * (x2 - x1)
        crop = pixels[begin:end].reshape(y2 - y1, x2 - x1)
        masks.append(CroppedMask(crop, x=x1, y=y1))
        begin = end
    return masks


def _grid_coordinates(first: torch.Tensor, last: torch.Tensor, size: int) -> torch.Tensor:
    """Pixel centres in the coordinates of each box, -1 to 1 from edge to edge.

    ``first`` and ``last`` are (N, 1); gives (N, size).
    """
    centres = torch.arange(size, device=first.device).to(torch.float32) + 0.5
    coordinates = (centres - first) / (last - first) * 2 - 1
    return coordinates.masked_fill(coordinates.isinf(), 0)
