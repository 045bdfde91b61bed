"""A Scalabel frame drawn onto its picture: boxes, masks, poses and tags, whatever it has."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bdd100k_models.errors import UserError
from bdd100k_models.frames import rle
from bdd100k_models.visualization import colours
from bdd100k_models.visualization.colours import Colour
from bdd100k_models.visualization.pictures import Picture

_FONT = cv2.FONT_HERSHEY_SIMPLEX
#: Categories that stand for «nothing here».
_UNDRAWN = frozenset({"background", "unlabeled"})
#: Legends longer than this would hide the picture.
_LEGEND_ROWS = 4


@dataclass(frozen=True)
class Style:
    """Sizes that follow from the size of a picture, so that small and large ones read alike."""

    line: int
    text: float
    stroke: int
    margin: int

    @classmethod
    def of(cls, image: Picture) -> Style:
        """The style for a picture; 1 at BDD100K's 1280 pixels."""
        scale = max(image.shape[:2]) / 1280
        return cls(
            line=max(1, round(2 * scale)),
            text=max(0.33, 0.5 * scale),
            stroke=max(1, round(1.2 * scale)),
            margin=max(2, round(4 * scale)),
        )


@dataclass(frozen=True)
class Identities:
    """How objects with an identity look in the frames of a video.

    Attributes:
        colour: of an identity, as the ``id`` of a label has it.
        tails: identity -> the points, in pixels, that it went through, the last one last.
    """

    colour: Callable[[str], Colour]
    tails: Mapping[str, Sequence[tuple[float, float]]]


def draw_frame(
    image: Picture,
    frame: Mapping[str, Any],
    *,
    min_score: float = 0.3,
    min_keypoint_score: float = 0.2,
    mask_opacity: float = 0.5,
    identities: Identities | None = None,
) -> Picture:
    """The picture with the labels and tags of its frame.

    Run-length masks become translucent areas with an outline (named on the object where they have
    a score, else in a legend), ``box2d`` a rectangle, ``graph`` a skeleton, text ``attributes`` of
    the frame a banner. Labels without a score are always drawn.

    Args:
        image: (H, W, 3) uint8, RGB; left as it is.
        frame: a Scalabel frame; masks of another size than the picture are scaled to it.
        min_score: labels below this are left out.
        min_keypoint_score: keypoints below this are left out, and the edges that end in them.
        mask_opacity: 0 (outlines only) to 1.
        identities: labels have the colour of their ``id`` in the place of their category's, and
            are named with it; tails are drawn below them.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: the picture has another shape or type.
        UserError: a mask has no run lengths.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    style = Style.of(image)
    labels = [
        label
        for label in frame.get("labels") or ()
        if label.get("category") not in _UNDRAWN
        and (label.get("score") is None or label["score"] >= min_score)
    ]
    labels.sort(key=lambda label: label.get("score") or 0.0)
    canvas = np.ascontiguousarray(image).copy()
    canvas, legend, texts = _draw_masks(canvas, labels, style, mask_opacity, identities)
    if identities is not None:
        _draw_tails(canvas, identities, style)
    for label in labels:
        if label.get("box2d"):
            texts.append(_draw_box(canvas, label, style, identities))
        if label.get("graph"):
            _draw_pose(canvas, label["graph"], style, min_keypoint_score)
    taken: list[_Rectangle] = []
    banner = _banner_of(frame.get("attributes") or {})
    if banner:
        taken.append(_draw_plate(canvas, banner, 0, 0, colours.DARK, style, larger=1.3))
    taken += _draw_legend(canvas, legend, style)
    # The best object is drawn last and so on top, but its name gets the first choice of place.
    for text in reversed(texts):
        _place(canvas, text, taken, style)
    return canvas


def beside(pictures: Sequence[Picture], captions: Sequence[str]) -> Picture:
    """Pictures of one height in a row, each under its caption.

    Args:
        pictures: (H, W, 3) uint8, RGB each.
        captions: one for each.

    Returns:
        (H + caption, sum of W and gaps, 3) uint8, RGB.

    Raises:
        ValueError: numbers or heights differ.
    """
    if len(pictures) != len(captions) or len({picture.shape[0] for picture in pictures}) != 1:
        raise ValueError("pictures beside each other need one height and one caption each")
    style = Style.of(max(pictures, key=lambda picture: picture.shape[1]))
    columns: list[Picture] = []
    for picture, caption in zip(pictures, captions, strict=True):
        text_height = _text_size(caption, style.text * 1.2, style)[1]
        header = np.full(
            (text_height + 4 * style.margin, picture.shape[1], 3), colours.DARK, dtype=np.uint8
        )
        _write(
            header,
            caption,
            (2 * style.margin, text_height + 2 * style.margin),
            colours.WHITE,
            style.text * 1.2,
            style,
        )
        columns += [
            np.concatenate([header, picture], axis=0),
            np.full(
                (picture.shape[0] + len(header), style.margin, 3), colours.DARK, dtype=np.uint8
            ),
        ]
    return np.concatenate(columns[:-1], axis=1)


# -- masks --------------------------------------------------------------------------------------


def _draw_masks(
    canvas: Picture,
    labels: Sequence[Mapping[str, Any]],
    style: Style,
    opacity: float,
    identities: Identities | None,
) -> tuple[Picture, dict[str, Colour], list[_Text]]:
    """Fill and outline all masks, the larger below the smaller.

    Gives the picture, the legend of the masks that have no score, and the names of those that do.
    """
    masks = [(label, _Runs.of(label["rle"])) for label in labels if label.get("rle")]
    if not masks:
        return canvas, {}, []
    masks.sort(key=lambda item: item[1].area, reverse=True)
    height, width = canvas.shape[:2]
    seen: Counter[str] = Counter()
    legend: dict[str, Colour] = {}
    texts: list[_Text] = []
    palette: list[Colour] = []
    for label, runs in masks:
        category = str(label.get("category", "?"))
        if identities is not None:
            palette.append(_colour_of(label, identities))
            continue
        colour = colours.shade(colours.colour_of(category), seen[category])
        seen[category] += 1
        palette.append(colour)
        if label.get("score") is None:
            legend.setdefault(category, colour)
        elif runs.area and not label.get("box2d"):
            target = runs.largest_part().scaled(width / runs.width, height / runs.height)
            texts.append(_Text(_name_of(label), colour, target))
    owner = _owners([runs for _, runs in masks], height, width)
    blended = cv2.addWeighted(_coloured(owner, palette), opacity, canvas, 1 - opacity, 0)
    owned = (owner > 0).view(np.uint8)
    drawn = cv2.copyTo(blended, owned, canvas)
    # An outline is where two owners meet, in the colour of the one whose side it is on.
    kernel = np.ones((style.line + 2, style.line + 2), dtype=np.uint8)
    grown = cv2.dilate(owner, kernel)
    edge = np.not_equal(grown, cv2.erode(owner, kernel)).view(np.uint8)
    around = cv2.copyTo(owner, owned, grown)
    rims = _coloured(np.asarray(around), [_towards_white(colour) for colour in palette])
    return np.asarray(cv2.copyTo(rims, edge, drawn), dtype=np.uint8), legend, texts


@dataclass(frozen=True)
class _Runs:
    """A mask as the runs of pixels that belong to it, column by column.

    Attributes:
        height, width: of the mask, pixels.
        starts, ends: (N,) int64, places in the order of columns; ends are outside.
    """

    height: int
    width: int
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, mask: Mapping[str, Any]) -> _Runs:
        """A UserError where the run lengths are none."""
        try:
            height, width = rle.check(mask)
        except ValueError as error:
            raise UserError(f"a mask to draw cannot be read: {error}") from error
        bounds = np.cumsum(rle.run_lengths({"counts": mask["counts"], "size": [height, width]}))
        filled = len(bounds) // 2
        starts, ends = bounds[0 : 2 * filled : 2], bounds[1::2]
        whole = ends > starts
        return cls(height, width, starts[whole], ends[whole])

    @property
    def area(self) -> int:
        """Pixels that belong to the mask."""
        return int((self.ends - self.starts).sum())

    def columns(self) -> tuple[int, npt.NDArray[np.bool_]]:
        """The first column of a mask that is not empty, and (columns, H) bool from there on."""
        first = int(self.starts[0]) // self.height
        last = (int(self.ends[-1]) - 1) // self.height + 1
        bounds = np.stack([self.starts, self.ends], axis=1).reshape(-1) - first * self.height
        lengths = np.diff(bounds, prepend=0, append=(last - first) * self.height)
        filled = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return first, filled.reshape(last - first, self.height)

    def largest_part(self) -> _Rectangle:
        """The rectangle around the largest part of a mask that is not empty."""
        first, filled = self.columns()
        _, _, parts, _ = cv2.connectedComponentsWithStats(filled.view(np.uint8))
        # Row 0 is what is outside; rows and columns are exchanged.
        part = parts[1 + int(np.argmax(parts[1:, cv2.CC_STAT_AREA]))]
        y, x, height, width = (int(value) for value in part[:4])
        return _Rectangle(first + x, y, first + x + width, y + height)


#: (H, W) uint8 or uint16: for each pixel the number of a mask, from 1; 0 for none.
_Owners = npt.NDArray[np.integer]


def _owners(masks: Sequence[_Runs], height: int, width: int) -> _Owners:
    """(height, width): number from 1 of the last mask that each pixel belongs to, 0 for none."""
    # More masks than numbers: the first, which are the largest, go.
    masks = masks[-np.iinfo(np.uint16).max :]
    dtype: type[np.integer] = np.uint8 if len(masks) <= np.iinfo(np.uint8).max else np.uint16
    sizes = {(runs.height, runs.width) for runs in masks}
    if len(sizes) > 1:
        owner = np.zeros((height, width), dtype=dtype)
        for size in sizes:
            own = [runs if (runs.height, runs.width) == size else None for runs in masks]
            # The later mask has the larger number.
            owner = np.maximum(owner, _scaled(_painted(own, *size, dtype), height, width))
        return owner
    return _scaled(_painted(masks, *sizes.pop(), dtype), height, width)


def _scaled(owner: _Owners, height: int, width: int) -> _Owners:
    if owner.shape == (height, width):
        return owner
    return np.asarray(cv2.resize(owner, (width, height), interpolation=cv2.INTER_NEAREST))


def _painted(
    masks: Sequence[_Runs | None], height: int, width: int, dtype: type[np.integer]
) -> _Owners:
    """(height, width): numbers of the masks, which have that size; None has no pixel."""
    numbered = [(number, runs) for number, runs in enumerate(masks, 1) if runs is not None]
    starts = np.concatenate([runs.starts for _, runs in numbered])
    ends = np.concatenate([runs.ends for _, runs in numbered])
    numbers = np.repeat(
        np.array([number for number, _ in numbered], dtype=dtype),
        [len(runs.starts) for _, runs in numbered],
    )
    order = np.argsort(starts, kind="stable")
    starts, ends, numbers = starts[order], ends[order], numbers[order]
    if (starts[1:] >= ends[:-1]).all():
        # No pixel has two owners, as in every map: all runs are laid out at once.
        values = np.zeros(2 * len(numbers) + 1, dtype=dtype)
        values[1::2] = numbers
        bounds = np.stack([starts, ends], axis=1).reshape(-1)
        turned = np.repeat(values, np.diff(bounds, prepend=0, append=height * width))
        turned = turned.reshape(width, height)
    else:
        turned = np.zeros((width, height), dtype=dtype)
        for number, runs in numbered:
            if len(runs.starts):
                first, filled = runs.columns()
                turned[first : first + len(filled)][filled] = number
    return np.asarray(cv2.transpose(turned))


def _coloured(owner: _Owners, palette: Sequence[Colour]) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: the palette's colour of each owner, numbered from 1; of 0 any."""
    table = np.zeros((max(256, len(palette) + 1), 4), dtype=np.uint8)
    table[1 : len(palette) + 1, :3] = palette
    if owner.dtype == np.uint8:
        looked_up = cv2.LUT(cv2.merge([owner] * 3), table[:256, None, :3].copy())
        return np.asarray(looked_up, dtype=np.uint8)
    # Four bytes move as one.
    packed = np.take(table.view(np.uint32)[:, 0], owner)
    rgba = packed.view(np.uint8).reshape(*owner.shape, 4)
    return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def _towards_white(colour: Colour) -> Colour:
    """A light relative of a colour: outlines must show on the fill and on a dark road."""
    red, green, blue = ((channel + 255) // 2 for channel in colour)
    return red, green, blue


# -- boxes and poses ----------------------------------------------------------------------------


def _colour_of(label: Mapping[str, Any], identities: Identities | None) -> Colour:
    """Of a label: its identity's where there is one to show, else its category's."""
    if identities is not None and label.get("id") is not None:
        return identities.colour(str(label["id"]))
    return colours.colour_of(str(label.get("category", "?")))


def _draw_tails(canvas: Picture, identities: Identities, style: Style) -> None:
    """Where objects came from, thinner towards the past."""
    height, width = canvas.shape[:2]
    for identity, tail in identities.tails.items():
        colour = identities.colour(identity)
        points = [
            (round(min(max(x, -9.0), width + 9.0)), round(min(max(y, -9.0), height + 9.0)))
            for x, y in tail
        ]
        for number, (start, end) in enumerate(itertools.pairwise(points), start=1):
            thickness = max(1, round(style.line * (0.5 + 1.5 * number / len(points))))
            cv2.line(canvas, start, end, colour, thickness, cv2.LINE_AA)


def _draw_box(
    canvas: Picture, label: Mapping[str, Any], style: Style, identities: Identities | None
) -> _Text:
    box = label["box2d"]
    height, width = canvas.shape[:2]
    # Corners far outside would overflow cv2's integers.
    x1, x2 = (round(min(max(float(box[key]), -9.0), width + 9.0)) for key in ("x1", "x2"))
    y1, y2 = (round(min(max(float(box[key]), -9.0), height + 9.0)) for key in ("y1", "y2"))
    colour = _colour_of(label, identities)
    # Many official colours are nearly black: a light rim keeps them visible at night.
    rim = _towards_white(colour) if colours.is_dark(colour) else colours.DARK
    cv2.rectangle(canvas, (x1, y1), (x2, y2), rim, style.line * 2)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, style.line)
    name = _name_of(label)
    if identities is not None and label.get("id") is not None:
        name = f"{label.get('category', '?')} {label['id']}"
    return _Text(name, colour, _Rectangle(x1, y1, x2, y2))


def _name_of(label: Mapping[str, Any]) -> str:
    category = str(label.get("category", "?"))
    score = label.get("score")
    return category if score is None else f"{category} {score:.2f}"


def _draw_pose(
    canvas: Picture, graph: Mapping[str, Any], style: Style, min_keypoint_score: float
) -> None:
    nodes = {node["id"]: node for node in _shown_nodes(graph, min_keypoint_score)}
    limit = 4 * max(canvas.shape[:2])
    points = {
        identity: tuple(round(min(max(float(value), -limit), limit)) for value in node["location"])
        for identity, node in nodes.items()
    }
    edges = [
        (points[edge["source"]], points[edge["target"]], edge.get("type"))
        for edge in graph.get("edges") or ()
        if edge["source"] in points and edge["target"] in points
    ]
    for start, end, _ in edges:
        cv2.line(canvas, start, end, colours.DARK, style.line + 2, cv2.LINE_AA)
    for start, end, side in edges:
        colour = colours.SIDES.get(str(side), colours.WHITE)
        cv2.line(canvas, start, end, colour, style.line, cv2.LINE_AA)
    for identity, point in points.items():
        # What an annotator could not see is a ring, what was seen is a dot.
        hidden = nodes[identity].get("visibility") == "N"
        cv2.circle(canvas, point, style.line + 1, colours.DARK, -1, cv2.LINE_AA)
        thickness = 1 if hidden else -1
        cv2.circle(canvas, point, style.line, colours.WHITE, thickness, cv2.LINE_AA)


def _shown_nodes(graph: Mapping[str, Any], min_score: float) -> list[Mapping[str, Any]]:
    """Predicted nodes with enough score, or annotated nodes that an annotator gave a place."""
    nodes = list(graph.get("nodes") or ())
    annotated = any(node.get("visibility") for node in nodes)
    return [
        node
        for node in nodes
        if (node["score"] >= min_score if node.get("score") is not None else True)
        and (node.get("visibility") or node.get("score") is not None or not annotated)
    ]


# -- text ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rectangle:
    """Corners in pixels; the lower right one is outside."""

    x1: int
    y1: int
    x2: int
    y2: int

    def scaled(self, x: float, y: float) -> _Rectangle:
        """The same in a picture that is ``x`` times as wide and ``y`` times as high."""
        return _Rectangle(
            round(self.x1 * x), round(self.y1 * y), round(self.x2 * x), round(self.y2 * y)
        )

    def overlaps(self, other: _Rectangle) -> bool:
        return (
            self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2
        )


@dataclass(frozen=True)
class _Text:
    """A name, the colour of its plate, and the object that it belongs to."""

    text: str
    colour: Colour
    target: _Rectangle


def _text_size(text: str, scale: float, style: Style) -> tuple[int, int]:
    """Width and height in pixels, descenders included."""
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, style.stroke)
    return width, height + baseline


def _write(
    canvas: Picture,
    text: str,
    bottom_left: tuple[int, int],
    colour: Colour,
    scale: float,
    style: Style,
) -> None:
    baseline = cv2.getTextSize(text, _FONT, scale, style.stroke)[1]
    x, y = bottom_left
    cv2.putText(canvas, text, (x, y - baseline), _FONT, scale, colour, style.stroke, cv2.LINE_AA)


def _draw_plate(
    canvas: Picture,
    text: str,
    x: int,
    y: int,
    colour: Colour,
    style: Style,
    *,
    larger: float = 1.0,
) -> _Rectangle:
    """Text on a filled plate with its upper left corner at (x, y); gives the plate."""
    scale = style.text * larger
    width, height = _text_size(text, scale, style)
    plate = _Rectangle(x, y, x + width + 2 * style.margin, y + height + style.margin)
    cv2.rectangle(canvas, (plate.x1, plate.y1), (plate.x2 - 1, plate.y2 - 1), colour, -1)
    _write(
        canvas,
        text,
        (x + style.margin, plate.y2 - style.margin // 2),
        colours.opposite(colour),
        scale,
        style,
    )
    return plate


def _place(canvas: Picture, text: _Text, taken: list[_Rectangle], style: Style) -> None:
    """Write a name above, in, or below its object, where no other name is; else leave it out.

    A name over another name makes both unreadable, and names are written from the best score down.
    """
    width, height = _text_size(text.text, style.text, style)
    width, height = width + 2 * style.margin, height + style.margin
    target = text.target
    x = min(max(target.x1, 0), max(0, canvas.shape[1] - width))
    for y in (target.y1 - height, target.y1, target.y2):
        plate = _Rectangle(x, y, x + width, y + height)
        if y < 0 or plate.y2 > canvas.shape[0]:
            continue
        if not any(plate.overlaps(other) for other in taken):
            taken.append(_draw_plate(canvas, text.text, x, y, text.colour, style))
            return


def _banner_of(attributes: Mapping[str, Any]) -> str:
    words = (f"{name}: {value}" for name, value in attributes.items() if isinstance(value, str))
    return "   ".join(words)


def _draw_legend(
    canvas: Picture, legend: Mapping[str, Colour], style: Style
) -> Iterable[_Rectangle]:
    """Names of the mask categories on plates of their colours, along the lower edge."""
    rows: list[list[str]] = [[]]
    used = 0
    gap = style.margin
    for name in legend:
        width = _text_size(name, style.text, style)[0] + 2 * style.margin + gap
        if used + width > canvas.shape[1] and rows[-1]:
            rows.append([])
            used = 0
        rows[-1].append(name)
        used += width
    rows = [row for row in rows if row][:_LEGEND_ROWS]
    height = _text_size("Ag", style.text, style)[1] + style.margin + gap
    plates = []
    for row_index, row in enumerate(rows):
        x, y = gap, canvas.shape[0] - height * (len(rows) - row_index)
        for name in row:
            plate = _draw_plate(canvas, name, x, y, legend[name], style)
            plates.append(plate)
            x = plate.x2 + gap
    return plates
