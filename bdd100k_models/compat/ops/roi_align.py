"""RoIAlign (He et al. 2017) with average and with maximum pooling of a bin's samples."""

from collections.abc import Iterator

import torch
import torchvision
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.utils import _pair

from bdd100k_models.compat.ops.dtypes import widen

NO_SAMPLE = -10000.0
#: Pixels that are read at a time, so that their indices and weights stay in the cache.
READ_AT_ONCE = 2**19


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
    if average and _sums_rows(features, rois):
        pooled = _average_of_rows(
            features, rois, (height, width), spatial_scale, sampling_ratio, aligned
        )
    elif average:
        pooled = torchvision.ops.roi_align(
            features, rois, (height, width), spatial_scale, sampling_ratio or -1, aligned
        )
    else:
        pooled = _max_pooled(
            features, rois, (height, width), spatial_scale, sampling_ratio, aligned
        )
    return pooled.to(input.dtype)


def _sums_rows(features: Tensor, rois: Tensor) -> bool:
    """Whether `_average_of_rows` serves: regions on a CPU, nothing differentiated or traced."""
    return (
        not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and type(features) is Tensor
        and features.device.type == "cpu"
        and features.dtype == torch.float32
        and not (torch.is_grad_enabled() and features.requires_grad)
        and len(rois) > 0
    )


def _average_of_rows(
    features: Tensor,
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Average pooling as weighted sums of pixels, each a row of C neighbouring numbers.

    torchvision's CPU kernel reads four numbers per sample and channel, one by one. Samples lie on a
    grid, so a bin's weights are the outer product of those along its height and its width, and
    neighbouring samples share pixels: fewer reads, and each of them is a vector. Equal to
    torchvision's but for the order of summation.

    Returns:
        (R, C, *bins) float32.
    """
    channels, height, width = features.shape[1:]
    # Free where the network runs in channels-last.
    pixels = features.permute(0, 2, 3, 1).contiguous().view(-1, channels)
    sampling = (spatial_scale, sampling_ratio, aligned)
    first_y, weight_y, span_y = _weights_along(rois[:, [2, 4]], bins[0], height, *sampling)
    first_x, weight_x, span_x = _weights_along(rois[:, [1, 3]], bins[1], width, *sampling)
    image = rois[:, 0].long()[:, None, None]
    output = features.new_empty(len(rois), channels, *bins)
    for (tall, wide), same in _grouped(torch.stack([span_y, span_x], dim=1)):
        for chosen in same.split(max(READ_AT_ONCE // (bins[0] * bins[1] * tall * wide), 1)):
            y = (first_y[chosen, :, None] + torch.arange(tall)).clamp(max=height - 1)
            x = (first_x[chosen, :, None] + torch.arange(wide)).clamp(max=width - 1)
            row = (image[chosen] * height + y) * width
            index = row[:, :, None, :, None] + x[:, None, :, None, :]
            weight = weight_y[chosen, :, None, :tall, None] * weight_x[chosen, None, :, None, :wide]
            pooled = functional.embedding_bag(
                index.view(-1, tall * wide),
                pixels,
                mode="sum",
                per_sample_weights=weight.view(-1, tall * wide),
            )
            output[chosen] = pooled.view(len(chosen), *bins, channels).permute(0, 3, 1, 2)
    return output


def _weights_along(
    ends: Tensor,
    bins: int,
    length: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels a bin averages along one axis, and how much each of them weighs.

    Args:
        ends: (R, 2), where the regions begin and end, in pixels of the image.
        bins: number of bins.
        length: of the feature map along this axis.
        spatial_scale: as of `roi_align`; likewise `sampling_ratio` and `aligned`.

    Returns:
        first: (R, bins) int64, the first pixel of each bin.
        weight: (R, bins, S) float32, of the pixels from there on; 0 beyond what the bin reads.
        span: (R,) int64, pixels that a bin of the region reads, at most S. Larger ones are rounded
            up, so that many regions have the same.
    """
    start, end = (ends * spatial_scale - (0.5 if aligned else 0.0)).unbind(1)
    size = end - start if aligned else (end - start).clamp(min=1)
    bin_size = (size / bins)[:, None, None]
    if sampling_ratio > 0:
        samples = torch.full_like(bin_size, sampling_ratio, dtype=torch.long)
    else:
        samples = bin_size.ceil().long()
    sample = torch.arange(max(int(samples.max()), 1))
    position = (
        start[:, None, None]
        + torch.arange(bins)[:, None] * bin_size
        + (sample + 0.5) * bin_size / samples.clamp(min=1)
    )
    counts = (sample < samples) & (position >= -1) & (position <= length)
    position = position.clamp(0, length - 1)
    low = position.long()
    first = low.where(counts, length - 1).amin(dim=2)
    reach = low.where(counts, 0).amax(dim=2) - first
    span = reach.amax(dim=1).clamp(min=0) + 2
    span = span.where(span <= 8, (span + 3) // 4 * 4)
    share = counts / samples.clamp(min=1)
    further = position - low
    weight = share.new_zeros(len(ends), bins, int(span.max()))
    # A sample that does not count has no share: where it falls does not matter.
    offset = (low - first[:, :, None]).clamp(0, weight.shape[2] - 2)
    weight.scatter_add_(2, offset, (1 - further) * share)
    weight.scatter_add_(2, offset + 1, further * share)
    return first, weight, span


def _grouped(spans: Tensor) -> Iterator[tuple[list[int], Tensor]]:
    """Each distinct row of (R, 2), with the indices of the rows that equal it."""
    distinct, group = torch.unique(spans, dim=0, return_inverse=True)
    sizes = torch.bincount(group).tolist()
    return zip(distinct.tolist(), group.argsort(stable=True).split(sizes), strict=True)


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
