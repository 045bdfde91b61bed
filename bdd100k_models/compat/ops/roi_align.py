"""RoIAlign (He et al. 2017) with average and with maximum pooling of a bin's samples."""

import torch
import torchvision
from torch import Tensor
from torch.nn.modules.utils import _pair

from bdd100k_models.compat.ops.dtypes import widen

NO_SAMPLE = -10000.0

#: Weights of pixels that are in memory at a time.
_WEIGHTS_AT_ONCE = 2**21

#: Samples of a bin in one direction, above which a sum of pixels would take too much memory.
_MOST_SAMPLES = 64


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
    if average and _reads_pixels(features, rois):
        pooled = _pooled_pixels(
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


def _reads_pixels(features: Tensor, rois: Tensor) -> bool:
    """Whether :func:`_pooled_pixels` may be used: inference on channels-last maps on a CPU."""
    return (
        features.device.type == "cpu"
        and features.dtype == torch.float32
        and not (torch.is_grad_enabled() and (features.requires_grad or rois.requires_grad))
        and features.is_contiguous(memory_format=torch.channels_last)
        and bool(rois.isfinite().all())
    )


def _pooled_pixels(
    features: Tensor,
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """The average as weighted sums of whole pixels, (R, C, *bins) in channels-last.

    torchvision's operator goes channel by channel, on one core. In channels-last a pixel is one
    piece of memory, and the samples of a bin together are a weighted sum of pixels.
    """
    channels, height, width = features.shape[1:]
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)
    shift = 0.5 if aligned else 0.0
    start = rois[:, [2, 1]] * spatial_scale - shift
    size = rois[:, [4, 3]] * spatial_scale - shift - start
    if not aligned:
        size = size.clamp(min=1)
    step = size / torch.tensor(bins)
    if sampling_ratio > 0:
        samples = torch.full_like(step, sampling_ratio, dtype=torch.long)
    else:
        samples = step.ceil().long().clamp(min=0)
    first_row = rois[:, 0].long() * height
    pooled = features.new_zeros((len(rois), *bins, channels))
    most = samples.amax(dim=1)
    for count in most.unique().tolist():
        if count == 0:
            continue
        if count > _MOST_SAMPLES:
            part = (most == count).nonzero()[:, 0]
            pooled[part] = torchvision.ops.roi_align(
                features, rois[part], bins, spatial_scale, sampling_ratio or -1, aligned
            ).permute(0, 2, 3, 1)
            continue
        # A bin with a sample a pixel is at most that many pixels long: neighbours share pixels.
        shared = sampling_ratio <= 0 and count > 2
        across = count + 2 if shared else 2 * count
        at_once = max(1, _WEIGHTS_AT_ONCE // (bins[0] * bins[1] * across**2))
        for part in (most == count).nonzero()[:, 0].split(at_once):
            rows, row_weights = _pixels_along(
                start[part, 0], step[part, 0], samples[part, 0], bins[0], height, count, shared
            )
            columns, column_weights = _pixels_along(
                start[part, 1], step[part, 1], samples[part, 1], bins[1], width, count, shared
            )
            rows = (rows + first_row[part, None, None]) * width
            places = rows[:, :, None, :, None] + columns[:, None, :, None, :]
            weights = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
            pooled[part] = torch.nn.functional.embedding_bag(
                places.flatten(3).flatten(0, 2),
                table,
                mode="sum",
                per_sample_weights=weights.flatten(3).flatten(0, 2),
            ).view(-1, *bins, channels)
    return pooled.permute(0, 3, 1, 2)


def _pixels_along(
    start: Tensor,
    step: Tensor,
    samples: Tensor,
    bins: int,
    length: int,
    most: int,
    shared: bool,
) -> tuple[Tensor, Tensor]:
    """Pixels that the samples of each bin lie between in one direction, and their weights.

    ``most`` is the largest of ``samples``; ``shared`` sums weights of one pixel up.

    Returns:
        two (R, bins, K), int64 and float32.
    """
    count = samples.clamp(min=1)[:, None, None]
    number = torch.arange(most)
    within = (step[:, None, None] / count) * (number + 0.5)
    place = start[:, None, None] + torch.arange(bins)[:, None] * step[:, None, None] + within
    inside = (number < samples[:, None, None]) & (place >= -1) & (place <= length)
    place = place.clamp(0, length - 1)
    lower = place.long()
    upper = (lower + 1).clamp(max=length - 1)
    along = place - lower
    share = inside / count
    if not shared:
        pixels = torch.cat([lower, upper], dim=2)
        return pixels, torch.cat([share * (1 - along), share * along], dim=2)
    first = lower[:, :, :1]
    weights = torch.zeros((*lower.shape[:2], most + 2))
    weights.scatter_add_(2, (lower - first).clamp(0, most + 1), share * (1 - along))
    weights.scatter_add_(2, (upper - first).clamp(0, most + 1), share * along)
    return (first + torch.arange(most + 2)).clamp(max=length - 1), weights


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
