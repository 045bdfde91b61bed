"""Costs of models written into the catalogue, with every other line as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_bytes
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import Cost

_NAME = re.compile(r"( *)- Name: *(\S+)\s*$")


def write(metafile: Path, costs: Mapping[str, Cost]) -> bool:
    """Put the costs of models, by name, into their ``metafile.yml``; whether that changed it.

    Raises:
        UserError: the file is wrong, or has no entry of one of the names.
    """
    known = {model.name for model in catalogue.load_metafile(metafile)}
    strange = sorted(costs.keys() - known)
    if strange:
        raise UserError(f"{metafile} has no entry named {strange[0]!r}")
    old = metafile.read_text(encoding="utf-8")
    new = "".join(_with_cost(entry, costs) for entry in re.split(r"(?m)^(?= *- Name:)", old))
    if new == old:
        return False
    write_bytes(metafile, new.encode())
    catalogue.load.cache_clear()
    return True


def _with_cost(entry: str, costs: Mapping[str, Cost]) -> str:
    """The lines of one entry with its cost, after its results where it has none yet."""
    lines = entry.splitlines(keepends=True)
    named = _NAME.match(lines[0]) if lines else None
    if named is None or named[2] not in costs:
        return entry
    indent = named[1] + "  "
    cost = costs[named[2]]
    height, width = cost.size
    own = [
        f"{indent}Cost:\n",
        f"{indent}  Parameters: {cost.parameters}\n",
        f"{indent}  GFLOPs: {cost.gflops:g}\n",
        f"{indent}  Input: {height}x{width}\n",
    ]
    found = _block(lines, f"{indent}Cost:")
    if found is None:
        results = _block(lines, f"{indent}Results:")
        end = results[1] if results is not None else 1
        found = (end, end)
    lines[found[0] : found[1]] = own
    return "".join(lines)


def _block(lines: list[str], key: str) -> tuple[int, int] | None:
    """First line of a key and the line after its last; None where it is not there."""
    start = next((i for i, line in enumerate(lines) if line.startswith(key)), None)
    if start is None:
        return None
    indent = len(key) - len(key.lstrip())
    end = start + 1
    deeper = (" " * (indent + 1), " " * indent + "- ")
    while end < len(lines) and lines[end].startswith(deeper):
        end += 1
    return start, end
