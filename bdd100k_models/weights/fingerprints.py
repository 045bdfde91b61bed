"""Which model of the catalogue a state dict is nearest to, by names and shapes of its tensors.

``fingerprints.json`` has a sketch of each model: the smallest hashes of its lines ``NAME SHAPE``.
The share that two sketches have in common estimates that of the lines (Broder's MinHash, 1997).
``tools/fingerprints.py`` writes the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bdd100k_models.files import read_json
from bdd100k_models.weights.fitting import is_learned

#: The sketches, as ``{"sketch": "HEX HEX …", "models": [NAME, …]}``, equal ones once.
FILE = Path(__file__).with_suffix(".json")

#: Hashes of a sketch, and hexadecimal digits of each.
_HASHES, _DIGITS = 48, 8
#: Share of names and shapes below which no model is near.
_NEAR = 0.3


@dataclass(frozen=True)
class Nearest:
    """The model that a state dict is nearest to.

    Attributes:
        name: of the model; the first in the catalogue where several are equal.
        share: estimate of names and shapes in common, of those of both, 0 to 1.
        others: how many models of the catalogue are equal to it.
    """

    name: str
    share: float
    others: int

    def __str__(self) -> str:
        more = f" (and {self.others} more like it)" if self.others else ""
        return f"{self.name}{more}, with about {self.share:.0%} of names and shapes in common"


def sketch(shapes: Mapping[str, Sequence[int]]) -> list[str]:
    """The smallest hashes of names and shapes; counters and tables aside."""
    lines = (f"{key} {tuple(shape)}" for key, shape in shapes.items() if is_learned(key))
    hashes = (hashlib.sha256(line.encode()).hexdigest()[:_DIGITS] for line in lines)
    return sorted(set(hashes))[:_HASHES]


def nearest(shapes: Mapping[str, Sequence[int]]) -> Nearest | None:
    """The model of the catalogue with most names and shapes in common; None where few are."""
    own = sketch(shapes)
    best, names = max(
        ((_share(own, theirs), names) for theirs, names in _groups()),
        key=lambda pair: pair[0],
    )
    return Nearest(names[0], best, len(names) - 1) if best >= _NEAR else None


def _share(one: Sequence[str], other: Sequence[str]) -> float:
    """Of the smallest hashes of both together, those that both have."""
    both = sorted({*one, *other})[:_HASHES]
    return len({*both} & {*one} & {*other}) / max(1, len(both))


@lru_cache(maxsize=1)
def _groups() -> list[tuple[list[str], list[str]]]:
    """Sketches, and the names of their models."""
    return [(group["sketch"].split(), group["models"]) for group in read_json(FILE)]
