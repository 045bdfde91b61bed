"""RoIAlign (He et al. 2017) with average and with maximum pooling of a bin's samples."""

import torch
import torchvision
from torch import Tensor
from torch.nn.modules.utils import _pair

from bdd100k_models.compat.ops.dtypes import widen

NO_SAMPLE = -10000.0


def roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    pool_mode: str = "avg",
    aligned: bool = True,
) -> Tensor:
    """Pool the features under each region into a grid of bins.

    Args:
        input: (N, C, H, W) features.
        rois: (R, 5), index of the image, then x1 y1 x2 y2 in pixels of the image.
        output_size: bins per column and per row; one number for both.
        spatial_scale: feature pixels per image pixel.
        sampling_ratio: samples per bin and direction; 0 takes as many as the bin has pixels.
        pool_mode: ``"avg"`` or ``"max"``.
        aligned: shift by half a pixel, so that integer coordinates are pixel centres.

    Returns:
        (R, C, *output_size) in the type of `input`. A bin without a sample is 0, and -10000 for
        maximum pooling, as of mmcv.

    Raises:
        ValueError: `rois` has other than 5 columns, or another `pool_mode`.
    """
    if rois.shape[1] != 5:
        raise ValueError(f"regions have 5 columns (image, x1, y1, x2, y2), not {rois.shape[1]}")
    if pool_mode not in ("avg", "max"):
        raise ValueError(f"pool_mode is 'avg' or 'max', not {pool_mode!r}")
    height, width = _pair(output_size)
    average = pool_mode == "avg"
    # Regions of full precision would lose pixels in half.
    features = widen(input, keep_cuda_half=average and rois.dtype == input.dtype)
    rois = rois.to(features.dtype)
    if average:
        pooled = torchvision.ops.roi_align(
            features, rois, (height, width), spatial_scale, sampling_ratio or -1, aligned
        )
    else:
        pooled = _max_pooled(
            features, rois, (height, width), spatial_scale, sampling_ratio, aligned
        )
    return pooled.to(input.dtype)


def _max_pooled(
    features: Tensor,
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Read the features at each bin's best sample, (R, C, *bins); the gradient goes there only."""
    pixels = features.permute(0, 2, 3, 1)
    with torch.no_grad():
        y, x, found = _best_samples(pixels, rois, bins, spatial_scale, sampling_ratio, aligned)
    image = rois[:, 0].long()[:, None, None, None]
    channel = torch.arange(features.shape[1], device=features.device)
    value = torch.zeros_like(y)
    for weight, row, column in _corners(y, x, *features.shape[2:]):
        value = value + weight * pixels[image, row, column, channel]
    return torch.where(found, value, NO_SAMPLE).permute(0, 3, 1, 2)


def _best_samples(
    pixels: Tensor,
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Row and column of each bin's largest sample, and whether it has one, (R, *bins, C) each.

    It walks over the samples of a bin, all regions and bins at once, and keeps the best so far.
    """
    height, width, channels = pixels.shape[1:]
    corners = rois[:, [2, 1, 4, 3]] * spatial_scale - (0.5 if aligned else 0.0)
    start, size = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1)
    bin_size = size / torch.tensor(bins, device=rois.device)
    if sampling_ratio > 0:
        samples = torch.full_like(rois[:, :2], sampling_ratio, dtype=torch.long)
    else:
        samples = bin_size.ceil().long()
    image = rois[:, 0].long()

    best = pixels.new_full((len(rois), *bins, channels), NO_SAMPLE)
    best_y, best_x = torch.zeros_like(best), torch.zeros_like(best)
    found = torch.zeros_like(best, dtype=torch.bool)
    most = samples.amax(dim=0).tolist() if len(rois) else (0, 0)
    for iy in range(most[0]):
        for ix in range(most[1]):
            rows = torch.nonzero((samples[:, 0] > iy) & (samples[:, 1] > ix))[:, 0]
            step = bin_size[rows] / samples[rows]
            first = start[rows] + step * step.new_tensor([iy + 0.5, ix + 0.5])
            y = first[:, :1] + torch.arange(bins[0], device=rois.device) * bin_size[rows, :1]
            x = first[:, 1:] + torch.arange(bins[1], device=rois.device) * bin_size[rows, 1:]
            y, x = torch.broadcast_tensors(y[:, :, None], x[:, None, :])
            value = torch.zeros_like(best[rows])
            for weight, row, column in _corners(y, x, height, width):
                value += weight[..., None] * pixels[image[rows, None, None], row, column]
            better = value > best[rows]
            best[rows] = torch.where(better, value, best[rows])
            best_y[rows] = torch.where(better, y[..., None], best_y[rows])
            best_x[rows] = torch.where(better, x[..., None], best_x[rows])
            found[rows] |= better
    return best_y, best_x, found


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
