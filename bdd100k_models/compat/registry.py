"""The decorator that names the module which a bridge mends."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

# A module, whose attributes no type checker knows.
Bridge = Callable[[Any], None]

BRIDGES: dict[str, list[Bridge]] = defaultdict(list)


def bridge(module: str) -> Callable[[Bridge], Bridge]:
    """Register a function that is called with `module` right after its import.

    Args:
        module: full name of the module to mend, such as ``mmcv.parallel.distributed``.
    """

    def register(function: Bridge) -> Bridge:
        BRIDGES[module].append(function)
        return function

    return register
