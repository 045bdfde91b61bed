"""The tracks of a video drawn onto its frames: a colour and a tail for each identity."""

from __future__ import annotations

import colorsys
from collections import deque
from collections.abc import Mapping
from typing import Any

from bdd100k_models.visualization.colours import Colour
from bdd100k_models.visualization.drawing import Identities, draw_frame
from bdd100k_models.visualization.pictures import Picture

#: Frames that a tail shows.
TAIL = 12

_GOLDEN_RATIO = 0.618034


def colour_of_identity(identity: str) -> Colour:
    """A colour of its own for an identity; neighbouring numbers look different."""
    number = int(identity) if identity.isascii() and identity.isdigit() else sum(identity.encode())
    hue = (0.08 + number * _GOLDEN_RATIO) % 1.0
    value = (1.0, 0.78)[number // 5 % 2]
    saturation = (0.85, 0.6)[number // 3 % 2]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


class TrackPainter:
    """Draws the frames of a video, which come in order.

    Args:
        min_score: labels below this are left out.
        tail: frames that a tail shows.
    """

    def __init__(self, min_score: float = 0.3, tail: int = TAIL) -> None:
        self._min_score = min_score
        self._length = tail
        self._tails: dict[str, deque[tuple[int, float, float]]] = {}
        self._number = 0

    def reset(self) -> None:
        """A new video begins."""
        self._tails.clear()
        self._number = 0

    def draw(self, image: Picture, frame: Mapping[str, Any]) -> Picture:
        """The next frame of the video with its tracks; see :func:`draw_frame`."""
        self._number += 1
        for label in frame.get("labels") or ():
            box = label.get("box2d")
            score = label.get("score")
            if box and label.get("id") is not None and (score is None or score >= self._min_score):
                tail = self._tails.setdefault(str(label["id"]), deque(maxlen=self._length))
                tail.append((self._number, (box["x1"] + box["x2"]) / 2, float(box["y2"])))
        for identity in list(self._tails):
            tail = self._tails[identity]
            while tail and tail[0][0] <= self._number - self._length:
                tail.popleft()
            if not tail:
                del self._tails[identity]
        identities = Identities(
            colour_of_identity,
            {name: [(x, y) for _, x, y in tail] for name, tail in self._tails.items()},
        )
        return draw_frame(image, frame, min_score=self._min_score, identities=identities)
