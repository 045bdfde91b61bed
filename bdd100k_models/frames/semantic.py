"""A semantic map of one image as Scalabel labels, or as the mask that the toolkit scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bdd100k_models.frames import Label
from bdd100k_models.frames.rle import encode_classes


def semantic_labels(
    segmentation: NDArray[np.integer], categories: Sequence[str], ignore: int = 255
) -> list[Label]:
    """One label with ``category`` and ``rle`` for each class that occurs, in class order.

    Args:
        segmentation: (H, W), class index of each pixel.
        categories: class names in the order of the model's outputs.
        ignore: the value of pixels that have no class.

    Raises:
        ValueError: a pixel holds neither a class index nor ``ignore``.
    """
    encoded = encode_classes(segmentation)
    encoded.pop(ignore, None)
    unknown = [index for index in encoded if not 0 <= index < len(categories)]
    if unknown:
        raise ValueError(f"class indices {unknown} are outside of {len(categories)} categories")
    return [{"category": categories[index], "rle": rle} for index, rle in encoded.items()]


def semantic_mask(segmentation: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The (H, W) uint8 mask that the toolkit scores: class indices, 255 for none.

    Raises:
        ValueError: another shape, or a value that does not fit.
    """
    segmentation = np.asarray(segmentation)
    if segmentation.ndim != 2:
        raise ValueError(f"expected an array of shape (H, W), got {segmentation.shape}")
    mask = segmentation.astype(np.uint8)
    if not np.array_equal(mask, segmentation):
        raise ValueError("a class index does not fit into 8 bits")
    return mask
