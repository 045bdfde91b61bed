"""Masks of the point-wise spatial attention network (Zhao et al. 2018)."""

import torch
from torch import Tensor

COLLECT = 0


def psamask_forward(
    input: Tensor,
    output: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Turn attention by relative position into attention by absolute position.

    Args:
        input: (num_, h_mask * w_mask, h_feature, w_feature): for each pixel, the attention to the
            pixels of a window around it.
        output: (num_, h_feature * w_feature, h_feature, w_feature), written. For collecting
            (`psa_type` 0), entry [q, p] is the attention that pixel p pays to pixel q; for
            distributing (1), the attention that pixel q pays to pixel p. Zero where the window does
            not reach.
        psa_type: 0 or 1.
        num_: images.
        h_feature: height of the feature map; likewise `w_feature`.
        h_mask: height of the window; likewise `w_mask`.
        half_h_mask: row of the window that is the pixel itself; likewise `half_w_mask`.
    """
    # Windows cover neighbours: relative position = neighbour - pixel + half.
    rows, columns = _positions(h_feature, w_feature, input.device)
    row = rows[:, None] - rows[None, :] + half_h_mask
    column = columns[:, None] - columns[None, :] + half_w_mask
    inside = (row >= 0) & (row < h_mask) & (column >= 0) & (column < w_mask)
    index = torch.where(inside, row * w_mask + column, 0).expand(num_, -1, -1)
    dense = input.flatten(2).gather(1, index) * inside
    if psa_type != COLLECT:
        dense = dense.transpose(1, 2)
    output.copy_(dense.reshape(output.shape))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Gradient of `psamask_forward`, written to `grad_input`."""
    device = grad_output.device
    rows, columns = _positions(h_feature, w_feature, device)
    mask_rows, mask_columns = _positions(h_mask, w_mask, device)
    row = rows[None, :] + mask_rows[:, None] - half_h_mask
    column = columns[None, :] + mask_columns[:, None] - half_w_mask
    inside = (row >= 0) & (row < h_feature) & (column >= 0) & (column < w_feature)
    index = torch.where(inside, row * w_feature + column, 0).expand(num_, -1, -1)
    dense = grad_output.flatten(2)
    if psa_type != COLLECT:
        dense = dense.transpose(1, 2)
    grad_input.copy_((dense.gather(1, index) * inside).reshape(grad_input.shape))


def _positions(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of each cell of a grid, flat, (height * width,) int64 each."""
    cells = torch.arange(height * width, device=device)
    return cells // width, cells % width
