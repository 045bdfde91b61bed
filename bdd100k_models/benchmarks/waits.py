"""Where a host waits for its GPU: the places, counted by kind and line of source."""

from __future__ import annotations

import linecache
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import torchvision

#: Packages whose lines are never the place: what they do, somebody asked for.
_INNER = tuple(f"{Path(str(module.__file__)).parent}{os.sep}" for module in (torch, torchvision))

#: Kinds that are transfers to the GPU; every other kind waits for what the GPU computes.
UPLOADS = ("upload",)


@dataclass(frozen=True, order=True)
class Place:
    """A line of source: module, line number, function."""

    module: str
    line: int
    function: str
    file: str = field(compare=False, repr=False, default="")

    @property
    def source(self) -> str:
        """The line itself, without indentation."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.function}"


@dataclass
class Waits:
    """How often each place made the host wait, by kind; uploads are counted beside.

    Attributes:
        counts: (kind, place) -> times.
    """

    counts: Counter[tuple[str, Place]] = field(default_factory=Counter)

    def add(self, kind: str) -> None:
        """Count one at the line that is being run."""
        self.counts[kind, place_of(sys._getframe(1))] += 1

    def clear(self) -> None:
        """Forget everything so far."""
        self.counts.clear()

    def by_kind(self) -> dict[str, int]:
        """Kind -> times, uploads among them, by name."""
        kinds: Counter[str] = Counter()
        for (kind, _), times in self.counts.items():
            kinds[kind] += times
        return dict(sorted(kinds.items()))

    def ordered(self) -> list[tuple[tuple[str, Place], int]]:
        """Kind and place with their times, most frequent first."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))

    def figures(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "waits": self.total,
            "uploads": self.uploads,
            "places": [
                {"kind": kind, "times": times, "place": str(place), "source": place.source}
                for (kind, place), times in self.ordered()
            ],
        }

    @property
    def total(self) -> int:
        """All but uploads."""
        return sum(n for (kind, _), n in self.counts.items() if kind not in UPLOADS)

    @property
    def uploads(self) -> int:
        """Transfers to the GPU that the host takes part in."""
        return sum(n for (kind, _), n in self.counts.items() if kind in UPLOADS)


def place_of(frame: FrameType | None) -> Place:
    """The innermost line from ``frame`` outwards that is neither torch's nor the rehearsal's."""
    here = os.path.dirname(__file__) + os.sep
    outermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((*_INNER, here, "<")):
            break
        outermost, frame = frame, frame.f_back
    found = frame or outermost
    assert found is not None
    code = found.f_code
    return Place(
        found.f_globals.get("__name__", code.co_filename),
        found.f_lineno,
        getattr(code, "co_qualname", code.co_name),  # Python >= 3.11
        code.co_filename,
    )
