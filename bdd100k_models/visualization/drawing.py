"""A Scalabel frame drawn onto its picture: boxes, masks, poses and tags, whatever it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from bdd100k_models.errors import UserError
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


def draw_frame(
    image: Picture,
    frame: Mapping[str, Any],
    *,
    min_score: float = 0.3,
    min_keypoint_score: float = 0.2,
    mask_opacity: float = 0.5,
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
    canvas, legend, texts = _draw_masks(canvas, labels, style, mask_opacity)
    for label in labels:
        if label.get("box2d"):
            texts.append(_draw_box(canvas, label, style))
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
    canvas: Picture, labels: Sequence[Mapping[str, Any]], style: Style, opacity: float
) -> tuple[Picture, dict[str, Colour], list[_Text]]:
    """Fill and outline all masks, the larger below the smaller.

    Gives the picture, the legend of the masks that have no score, and the names of those that do.
    """
    masks = [
        (label, _decode(label["rle"], canvas.shape[:2])) for label in labels if label.get("rle")
    ]
    if not masks:
        return canvas, {}, []
    masks.sort(key=lambda item: int(item[1].sum()), reverse=True)
    seen: Counter[str] = Counter()
    legend: dict[str, Colour] = {}
    texts: list[_Text] = []
    fill = canvas.copy()
    outlines: list[tuple[Any, Colour]] = []
    for label, mask in masks:
        category = str(label.get("category", "?"))
        colour = colours.shade(colours.colour_of(category), seen[category])
        seen[category] += 1
        fill[mask] = colour
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        outlines.append((contours, colour))
        if label.get("score") is None:
            legend.setdefault(category, colour)
        elif contours and not label.get("box2d"):
            x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
            texts.append(_Text(_name_of(label), colour, _Rectangle(x, y, x + width, y + height)))
    blended = cv2.addWeighted(fill, opacity, canvas, 1 - opacity, 0)
    for contours, colour in outlines:
        cv2.drawContours(blended, contours, -1, _towards_white(colour), style.line, cv2.LINE_AA)
    return np.asarray(blended, dtype=np.uint8), legend, texts


def _decode(rle: Mapping[str, Any], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(H, W) bool of the picture's shape; a UserError where there are no run lengths."""
    if not rle["counts"]:
        # pycocotools would end the process.
        raise UserError("a mask to draw has no run lengths; leave empty masks out of the frames")
    mask = coco_mask.decode({"counts": rle["counts"], "size": list(rle["size"])})
    height, width = shape
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(mask, dtype=np.bool_)


def _towards_white(colour: Colour) -> Colour:
    """A light relative of a colour: outlines must show on the fill and on a dark road."""
    red, green, blue = ((channel + 255) // 2 for channel in colour)
    return red, green, blue


# -- boxes and poses ----------------------------------------------------------------------------


def _draw_box(canvas: Picture, label: Mapping[str, Any], style: Style) -> _Text:
    box = label["box2d"]
    height, width = canvas.shape[:2]
    # Corners far outside would overflow cv2's integers.
    x1, x2 = (round(min(max(float(box[key]), -9.0), width + 9.0)) for key in ("x1", "x2"))
    y1, y2 = (round(min(max(float(box[key]), -9.0), height + 9.0)) for key in ("y1", "y2"))
    colour = colours.colour_of(str(label.get("category", "?")))
    # Many official colours are nearly black: a light rim keeps them visible at night.
    rim = _towards_white(colour) if colours.is_dark(colour) else colours.DARK
    cv2.rectangle(canvas, (x1, y1), (x2, y2), rim, style.line * 2)
    cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, style.line)
    return _Text(_name_of(label), colour, _Rectangle(x1, y1, x2, y2))


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
        for edge in graph.get("edges", ())
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
    nodes = list(graph.get("nodes", ()))
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
