"""RoIAlign (He et al. 2017) with average and with maximum pooling of a bin's samples."""

import torch
from torch import Tensor

from bdd100k_models.compat.ops.dtypes import widen

MAX = 0
NO_SAMPLE = -10000.0


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool the features under each region into a grid of bins.

    Args:
        input: (N, C, H, W) features.
        rois: (R, 5), index of the image, then x1 y1 x2 y2 in pixels of the image.
        output: (R, C, aligned_height, aligned_width), written.
        argmax_y: like `output` for maximum pooling, written: row of the sample that won, in feature
            pixels, -1 where a bin has no sample. Untouched for average pooling.
        argmax_x: the same for columns.
        aligned_height: bins per column.
        aligned_width: bins per row.
        spatial_scale: feature pixels per image pixel.
        sampling_ratio: samples per bin and direction; 0 takes as many as the bin has pixels.
        pool_mode: 0 maximum, 1 average.
        aligned: shift by half a pixel, so that integer coordinates are pixel centres.
    """
    bins = (aligned_height, aligned_width)
    if pool_mode == MAX:
        _max_forward(
            input, rois, output, argmax_y, argmax_x, spatial_scale, sampling_ratio, aligned
        )
        return
    # Regions of full precision would lose pixels in half.
    features = widen(input, keep_cuda_half=rois.dtype == input.dtype)
    pooled = torch.ops.torchvision.roi_align(
        features, rois.to(features.dtype), spatial_scale, *bins, sampling_ratio or -1, aligned
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of `roi_align_forward`, written to `grad_input` (N, C, H, W)."""
    if pool_mode == MAX:
        _max_backward(grad_output, rois, argmax_y, argmax_x, grad_input)
        return
    grad = widen(grad_output)
    spread = torch.ops.torchvision._roi_align_backward(
        grad,
        rois.to(grad.dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio or -1,
        aligned,
    )
    grad_input.copy_(spread)


def _max_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Walk over the samples of a bin, all regions and bins at once, and keep the best so far."""
    features = widen(input)
    rois = rois.to(features.dtype)
    height, width = features.shape[2:]
    bins = torch.tensor(output.shape[2:], device=rois.device)
    corners = rois[:, [2, 1, 4, 3]] * spatial_scale - (0.5 if aligned else 0.0)
    start, size = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1)
    bin_size = size / bins
    if sampling_ratio > 0:
        samples = torch.full_like(rois[:, :2], sampling_ratio, dtype=torch.long)
    else:
        samples = bin_size.ceil().long()
    image = rois[:, 0].long()
    pixels = features.permute(0, 2, 3, 1)

    shape = (len(rois), *output.shape[2:], features.shape[1])
    best = features.new_full(shape, NO_SAMPLE)
    best_y, best_x = torch.full_like(best, -1), torch.full_like(best, -1)
    most = samples.amax(dim=0).tolist() if len(rois) else (0, 0)
    for iy in range(most[0]):
        for ix in range(most[1]):
            rows = torch.nonzero((samples[:, 0] > iy) & (samples[:, 1] > ix))[:, 0]
            step = bin_size[rows] / samples[rows]
            first = start[rows] + step * step.new_tensor([iy + 0.5, ix + 0.5])
            y = first[:, :1] + torch.arange(shape[1], device=rois.device) * bin_size[rows, :1]
            x = first[:, 1:] + torch.arange(shape[2], device=rois.device) * bin_size[rows, 1:]
            y, x = torch.broadcast_tensors(y[:, :, None], x[:, None, :])
            value = torch.zeros_like(best[rows])
            for weight, row, column in _corners(y, x, height, width):
                value += weight[..., None] * pixels[image[rows, None, None], row, column]
            better = value > best[rows]
            best[rows] = torch.where(better, value, best[rows])
            best_y[rows] = torch.where(better, y[..., None], best_y[rows])
            best_x[rows] = torch.where(better, x[..., None], best_x[rows])
    output.copy_(best.permute(0, 3, 1, 2))
    argmax_y.copy_(best_y.permute(0, 3, 1, 2))
    argmax_x.copy_(best_x.permute(0, 3, 1, 2))


def _max_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor
) -> None:
    """Send each bin's gradient to the four pixels around the sample that won."""
    channels, height, width = grad_input.shape[1:]
    grad = widen(grad_output)
    grad = grad * (argmax_y != -1)
    y, x = widen(argmax_y).to(grad.dtype), widen(argmax_x).to(grad.dtype)
    image = rois[:, 0].long()[:, None, None, None]
    plane = image * channels + torch.arange(channels, device=grad.device)[:, None, None]
    total = grad.new_zeros(grad_input.numel())
    for weight, row, column in _corners(y, x, height, width):
        target = (plane * height + row) * width + column
        total.index_add_(0, target.flatten(), (grad * weight).flatten())
    grad_input.copy_(total.view_as(grad_input))


def _corners(
    y: Tensor, x: Tensor, height: int, width: int
) -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """Weight, row and column of the four pixels around each point.

    A point up to one pixel outside is moved to the border, one further out weighs nothing.
    """
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.long(), x.long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    down, along = y - top, x - left
    up, back = (1 - down) * inside, 1 - along
    down = down * inside
    return (
        (up * back, top, left),
        (up * along, top, right),
        (down * back, bottom, left),
        (down * along, bottom, right),
    )
