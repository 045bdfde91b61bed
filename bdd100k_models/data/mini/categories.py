"""Ids of the categories in the label files, as the bdd100k toolkit numbers them."""

from __future__ import annotations

from bdd100k_models.zoo.classes import DET, INS_SEG, PAN_SEG_STUFF, PAN_SEG_THINGS, SEM_SEG

#: Panoptic stuff: ids 1-30, also the numbers of its segments.
STUFF_ID: dict[str, int] = {name: index + 1 for index, name in enumerate(PAN_SEG_STUFF)}
#: Panoptic things: category ids 31-40.
THING_ID: dict[str, int] = {
    name: index + len(PAN_SEG_STUFF) + 1 for index, name in enumerate(PAN_SEG_THINGS)
}
#: Pixel values of semantic masks.
SEM_SEG_ID: dict[str, int] = {name: index for index, name in enumerate(SEM_SEG)}
#: Red channel of instance bitmasks.
INS_SEG_ID: dict[str, int] = {name: index + 1 for index, name in enumerate(INS_SEG)}

#: Categories of boxes and instances that have another name in panoptic labels. Trailers are
#: trucks that the evaluators ignore, as the toolkit maps them.
BOX_CATEGORY: dict[str, str] = {
    "person": "pedestrian",
    "caravan": "car",
    **{name: name for name in DET if name not in ("pedestrian",)},
}
#: Value of unlabelled pixels in semantic masks.
IGNORED = 255
