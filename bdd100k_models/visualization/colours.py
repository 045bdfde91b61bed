"""Colours of categories: the toolkit's, where it has one."""

from __future__ import annotations

import colorsys
import zlib
from functools import cache

#: Red, green, blue, each 0-255.
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
DARK: Colour = (24, 24, 28)

#: Names that mean the same as one that ``bdd100k.label.label`` has a colour for.
_SAME_AS = {
    "pedestrian": "person",
    "other person": "person",
    "other vehicle": "car",
    "van": "car",
    "bike": "bicycle",
    "motor": "motorcycle",
}

#: Sides of the body, by the type of an edge of the pose graph.
SIDES: dict[str, Colour] = {
    "body": (255, 214, 10),
    "right_side": (255, 105, 60),
    "left_side": (64, 200, 255),
}

_GOLDEN_RATIO = 0.618034


@cache
def _official() -> dict[str, Colour]:
    from bdd100k.label.label import drivables, labels

    return {label.name: label.color for label in (*labels, *drivables) if any(label.color)}


@cache
def colour_of(category: str) -> Colour:
    """The official colour of a category, or one that its name decides."""
    colour = _official().get(_SAME_AS.get(category, category))
    if colour is not None:
        return colour
    hue = zlib.crc32(category.encode()) / 2**32
    return _from_hsv(hue, 0.7, 0.85)


def shade(colour: Colour, number: int) -> Colour:
    """A relative of a colour for the ``number``-th object of one category; 0 is the colour."""
    if number == 0:
        return colour
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    step = (number * _GOLDEN_RATIO) % 1.0
    return _from_hsv(
        (hue + 0.12 * (step - 0.5)) % 1.0,
        min(1.0, saturation * (0.65 + 0.35 * step)),
        value + (1.0 - value) * 0.8 * step,
    )


def is_dark(colour: Colour) -> bool:
    """Whether white is easier to read on a colour than black."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def opposite(colour: Colour) -> Colour:
    """White or black, whichever stands out against a colour."""
    return WHITE if is_dark(colour) else BLACK


def _from_hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
