"""Half-precision tensors on kernels that do not know them."""

import torch
from torch import Tensor

HALF_TYPES = (torch.float16, torch.bfloat16)


def widen(tensor: Tensor, *, keep_cuda_half: bool = False) -> Tensor:
    """Return the tensor in float32 where it is of half precision, else as it is.

    Args:
        tensor: any floating-point tensor.
        keep_cuda_half: leave float16 on CUDA alone, as torchvision's CUDA kernels take it.
    """
    if tensor.dtype not in HALF_TYPES:
        return tensor
    if keep_cuda_half and tensor.dtype == torch.float16 and tensor.is_cuda:
        return tensor
    return tensor.float()
