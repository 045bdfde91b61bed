"""Other people's packages made to work on today's torch and numpy; nothing of ours.

`install` is all that a caller needs, and `check_packages` says whether what it mends is there. It
puts a finder on `sys.meta_path` that

* serves `mmcv._ext`, mmcv's compiled ops, from `bdd100k_models.compat.ext` (torchvision kernels and
  torch formulas) where no compiled one is installed, and
* runs the bridges of `bdd100k_models.compat.bridges` right after the module that each mends is
  imported.

The rest of the package uses these two and nothing from inside. A bridge may use what belongs to
another room (``weights``, ``frames``), imported when the bridge runs.

Nothing is imported earlier than without it: a process that never imports mmcv pays a dictionary
look-up per import.
"""

import contextlib
import sys
from importlib.util import find_spec

from bdd100k_models.compat.bridges import BRIDGES
from bdd100k_models.compat.finder import CompatFinder
from bdd100k_models.compat.noise import silence
from bdd100k_models.errors import UserError

__all__ = ["check_packages", "install"]


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


def check_packages() -> None:
    """Look whether the packages of OpenMMLab are there that no dependency brings.

    Raises:
        UserError: mmcv or mmpose is missing, or mmcv is one that the zoo's models do not know.
    """
    from importlib import metadata

    found: dict[str, str] = {}
    holders = {"mmcv": ("mmcv-full", "mmcv", "mmcv-lite"), "mmpose": ("mmpose",)}
    for package, names in holders.items():
        for name in names:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.setdefault(package, f"{name} {metadata.version(name)}")
        if package not in found and package not in sys.modules and find_spec(package) is None:
            raise UserError(
                f"{package} is not installed, and pip cannot bring it by itself; "
                "`bdd100k-models complete` installs it into this environment"
            )
    version = found.get("mmcv", "").rpartition(" ")[2]
    if version and not version.startswith("1."):
        raise UserError(
            f"{found['mmcv']} is installed here, and the zoo's models are written for mmcv 1.x: "
            "give this package an environment of its own"
        )
