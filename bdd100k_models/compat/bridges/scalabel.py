"""scalabel 0.3.1 with more than one process."""

from collections.abc import Callable
from typing import Any

from bdd100k_models.compat.registry import bridge


@bridge("scalabel.eval.ins_seg")
@bridge("scalabel.eval.pan_seg")
@bridge("scalabel.eval.mots")
def check_overlap_in_one_process(module: Any) -> None:
    """`check_overlap` hands its worker processes an argument that they do not know.

    The check is a small part of the evaluation; the rest keeps its processes. It can go with a
    scalabel whose ``check_overlap_frame`` takes ``image_size``.
    """
    original: Callable[..., bool] = module.check_overlap

    def check_overlap(frames: Any, config: Any, nproc: int = 1) -> bool:
        return original(frames, config, nproc=1)

    module.check_overlap = check_overlap
