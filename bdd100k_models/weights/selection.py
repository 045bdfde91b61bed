"""The start of a training run: what of another model's weights its network takes, and how.

What has the same name and shape is taken. A class layer takes the rows of the classes that are
its own, by name; a class without a source keeps the row that the network was built with, as all
does that the other model has not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    State = Mapping[str, Tensor]

#: For each class of a layer its row in the source, or None.
Rows = Sequence["int | None"]


@dataclass(frozen=True)
class Start:
    """Weights to begin with, and where they are from.

    Attributes:
        state: a tensor for each of the network's, with its shape.
        taken: names of those that are the source's as they are.
        selected: class layers, some rows of which are the source's.
        fresh: those that are as the network was built.
        left_out: names in the source that the network has no use for.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    selected: tuple[str, ...]
    fresh: tuple[str, ...]
    left_out: tuple[str, ...]


def select(own: State, source: State, rows: Rows | None, taken: Sequence[str] = ()) -> Start:
    """What a network starts from.

    Args:
        own: the network's tensors as it was built.
        source: the other model's, by the network's names.
        rows: for each class of the task its position among those of the source; None where the
            classes say nothing about each other, so that class layers stay fresh. In panoptic
            segmentation things come first, on both sides.
        taken: prefixes of what may be taken; all that fits by default.
    """
    state: dict[str, Tensor] = {}
    kinds: dict[str, list[str]] = {"taken": [], "selected": [], "fresh": []}
    things = _things(own, source)
    for key, value in own.items():
        found = source.get(key) if not taken or key.startswith(tuple(taken)) else None
        kind = "fresh"
        state[key] = value
        if found is not None:
            layer = next((rule for pattern, rule in _LAYERS if pattern.search(key)), None)
            if layer is None or (layer is _boxes and len(value) == len(found) == 4):
                # Boxes that are the same for all classes, as in a cascade.
                if found.shape == value.shape:
                    state[key], kind = found, "taken"
            elif rows is not None and found.shape == value.shape and _same(rows, things):
                state[key], kind = found, "taken"
            elif rows is not None:
                chosen = layer(value, found, rows, things)
                if chosen is not None:
                    state[key], kind = chosen, "selected"
        kinds[kind].append(key)
    used = {*kinds["taken"], *kinds["selected"]}
    return Start(
        state,
        tuple(kinds["taken"]),
        tuple(kinds["selected"]),
        tuple(kinds["fresh"]),
        tuple(key for key in source if key not in used),
    )


def _same(rows: Rows, things: tuple[int, int]) -> bool:
    """Whether classes are the source's in its order."""
    return things[0] == things[1] and list(rows) == list(range(len(rows)))


def _things(own: State, source: State) -> tuple[int, int]:
    """Countable classes of the network and of the source, where regions follow them; else 0."""
    key = "semantic_head.conv_logits.bias"
    boxes = "roi_head.bbox_head.fc_cls.bias"
    if not all(name in state for name in (key, boxes) for state in (own, source)):
        return 0, 0
    return len(own[boxes]) - 1, len(source[boxes]) - 1


def _pick(own: Tensor, source: Tensor, rows: Rows) -> Tensor | None:
    """``own`` with rows of ``source`` in it; None where it gives none."""
    if own.shape[1:] != source.shape[1:] or len(own) != len(rows):
        return None
    pairs = [(i, row) for i, row in enumerate(rows) if row is not None and 0 <= row < len(source)]
    if not pairs:
        return None
    chosen = own.clone()
    ours, theirs = zip(*pairs, strict=True)
    chosen[list(ours)] = source[list(theirs)].to(own.dtype)
    return chosen


_Rule = Callable[["Tensor", "Tensor", Rows, "tuple[int, int]"], "Tensor | None"]


def _plain(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """A row for each class."""
    return _pick(own, source, _countable(rows, things))


def _countable(rows: Rows, things: tuple[int, int]) -> Rows:
    """The classes that boxes and masks have; a region of the source is none of them."""
    ours, theirs = things
    if not ours:
        return rows
    return [row if row is not None and row < theirs else None for row in rows[:ours]]


def _with_last(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """A row for each class; where there is one more it is the background's, and the last."""
    countable = list(_countable(rows, things))
    if len(own) == len(countable) + 1:
        countable.append(len(source) - 1)
    return _pick(own, source, countable)


def _boxes(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """Four rows for each class."""
    countable = _countable(rows, things)
    return _pick(
        own, source, [None if row is None else 4 * row + i for row in countable for i in range(4)]
    )


def _anchors(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """Each anchor has a row for each class: row = anchor x classes + class."""
    anchors = len(own) // len(rows)
    if anchors == 0 or len(own) % len(rows) or len(source) % anchors:
        return None
    classes = len(source) // anchors
    return _pick(
        own,
        source,
        [None if row is None else a * classes + row for a in range(anchors) for row in rows],
    )


def _regions(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """Panoptic segmentation: a row for each region; the last is that of all things together."""
    ours, theirs = things
    regions = [row - theirs if row is not None and row >= theirs else None for row in rows[ours:]]
    return _pick(own, source, [*regions, len(source) - 1])


def _columns(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """PointRend: inputs are features, then the coarse score of each class."""
    features = own.shape[1] - len(rows)
    columns = [*range(features), *(None if row is None else features + row for row in rows)]
    chosen = _pick(own.transpose(0, 1), source.transpose(0, 1), columns)
    return None if chosen is None else chosen.transpose(0, 1).contiguous()


def _points(own: Tensor, source: Tensor, rows: Rows, things: tuple[int, int]) -> Tensor | None:
    """PointRend's class layer: the rows of classes, and its inputs."""
    if own.ndim == 1:
        return _pick(own, source, rows)
    chosen = own.clone()
    pairs = [(i, row) for i, row in enumerate(rows) if row is not None and row < len(source)]
    for i, row in pairs:
        wide = _columns(own[i : i + 1], source[row : row + 1], rows, things)
        if wide is None:
            return None
        chosen[i] = wide[0]
    return chosen if pairs else None


#: Class layers by their names: all that depends on which classes there are, and in which order.
_LAYERS: tuple[tuple[re.Pattern[str], _Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"^roi_head\.bbox_head(\.\d+)?\.fc_cls\.", _with_last),
        (r"^roi_head\.bbox_head(\.\d+)?\.fc_reg\.", _boxes),
        (r"^roi_head\.mask_head(\.\d+)?\.conv_logits\.", _plain),
        (r"^bbox_head\.(retina_cls|atss_cls|conv_cls)\.", _anchors),
        (r"^semantic_head\.conv_logits\.", _regions),
        (r"^(decode|auxiliary)_head(\.\d+)?\.(conv_seg|pam_conv_seg|cam_conv_seg)\.", _plain),
        (r"^decode_head\.1\.fcs\.\d+\.conv\.weight$", _columns),
        (r"^decode_head\.1\.fc_seg\.", _points),
        (r"^keypoint_head\.final_layer\.", _plain),
        (r"^(head\.fc|backbone\.fc|backbone\.classifier\.6)\.", _plain),
    )
)
