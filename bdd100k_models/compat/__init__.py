"""Other people's packages made to work on today's torch and numpy; nothing of ours.

`install` is all that a caller needs. It puts a finder on `sys.meta_path` that

* serves `mmcv._ext`, mmcv's compiled ops, from `bdd100k_models.compat.ext` (torchvision kernels and
  torch formulas) where no compiled one is installed, and
* runs the bridges of `bdd100k_models.compat.bridges` right after the module that each mends is
  imported.

The rest of the package uses `install` and nothing from inside. A bridge may use what belongs to
another room (``weights``, ``frames``), imported when the bridge runs.

Nothing is imported earlier than without it: a process that never imports mmcv pays a dictionary
look-up per import.
"""

import sys

from bdd100k_models.compat.bridges import BRIDGES
from bdd100k_models.compat.finder import CompatFinder
from bdd100k_models.compat.noise import silence

__all__ = ["install"]


def install() -> None:
    """Make mmcv 1.x and its family importable and correct in this process.

    Calling it again does nothing. Modules that are already imported are mended in place; what other
    modules have taken from them by name stays as it was, so call it before the first mm* import
    where that is possible.
    """
    if any(isinstance(finder, CompatFinder) for finder in sys.meta_path):
        return
    silence()
    sys.meta_path.insert(0, CompatFinder(BRIDGES))
    for name, bridges in BRIDGES.items():
        if name in sys.modules:
            for bridge in bridges:
                bridge(sys.modules[name])
