"""numpy with names that later versions removed, for single modules of other packages."""

from types import ModuleType
from typing import Any


class OldNumpy(ModuleType):
    """What a module takes for numpy: numpy, and names of ours.

    Args:
        names: what it has besides, or instead.
    """

    def __init__(self, **names: Any) -> None:
        super().__init__("numpy")
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        import numpy as np

        return getattr(np, name)
