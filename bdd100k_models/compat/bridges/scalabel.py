"""scalabel 0.3.1 and bdd100k 1.0.1 with more than one process, and on pydantic 2."""

import functools
import operator
from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_origin

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


@bridge("scalabel.label.typing")
def types_of_pydantic_1(module: Any) -> None:
    """scalabel 0.3.1 wrote its types for pydantic 1; with pydantic >= 2 they refuse plain files.

    There, what may be None must be given all the same, numbers are no text, and a value takes the
    nearest type of a union rather than the first that it can become. It can go with a scalabel for
    pydantic 2.
    """
    import pydantic

    if int(pydantic.VERSION.partition(".")[0]) < 2:
        return
    base: Any = pydantic.BaseModel
    for model in vars(module).values():
        if not isinstance(model, type(base)) or model is base:
            continue
        model.model_config["coerce_numbers_to_str"] = True
        for field in model.model_fields.values():
            if field.is_required() and NoneType in get_args(field.annotation):
                field.default = None
            field.annotation = _first_that_fits(field.annotation)
        model.model_rebuild(force=True)


def _first_that_fits(annotation: Any) -> Any:
    """A type whose unions of plain values, at any depth, take the first member that fits."""
    from pydantic import Field

    inside = get_args(annotation)
    if not inside or get_origin(annotation) is Annotated:
        return annotation
    members = tuple(_first_that_fits(member) for member in inside)
    if get_origin(annotation) is not Union:
        return annotation.copy_with(members) if members != inside else annotation
    union = functools.reduce(operator.or_, members)
    if set(members) <= {bool, int, float, str}:
        return Annotated[union, Field(union_mode="left_to_right")]
    return union


@bridge("scalabel.eval.boundary")
@bridge("scalabel.eval.detect")
@bridge("scalabel.eval.mot")
@bridge("scalabel.eval.mots")
@bridge("scalabel.eval.pan_seg")
@bridge("scalabel.eval.pose")
@bridge("scalabel.eval.sem_seg")
@bridge("scalabel.eval.utils")
@bridge("scalabel.label.to_coco")
@bridge("scalabel.label.to_rle")
@bridge("bdd100k.eval.ins_seg")
@bridge("bdd100k.eval.mots")
@bridge("bdd100k.eval.pan_seg")
@bridge("bdd100k.eval.seg")
@bridge("bdd100k.label.to_coco")
@bridge("bdd100k.label.to_coco_panseg")
@bridge("bdd100k.label.to_mask")
@bridge("bdd100k.label.to_rle")
def processes_that_know_the_bridges(module: Any) -> None:
    """Pools of scalabel 0.3.1 and bdd100k 1.0.1 on Python >= 3.14, which forks no more by itself.

    A process that starts anew imports both packages again, for seconds, and without our bridges.
    It can go with both packages.
    """
    import multiprocessing

    from bdd100k_models.system import start_method

    module.Pool = multiprocessing.get_context(start_method()).Pool
