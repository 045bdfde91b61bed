"""The import hook: stand-ins for compiled packages, and bridges run after an import."""

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from bdd100k_models.compat.registry import Bridge

EXTENSION = "mmcv._ext"
STAND_IN = Path(__file__).with_name("ext.py")
#: Modules that are ours whatever is installed: a compiled xtcocotools of somebody may fit neither
#: this Python nor this numpy, and scores are to be the same everywhere.
REPLACED = {
    "xtcocotools": Path(__file__).parent / "xtcocotools" / "__init__.py",
    **{
        f"xtcocotools.{name}": Path(__file__).parent / "xtcocotools" / f"{name}.py"
        for name in ("coco", "cocoeval", "mask")
    },
}


class CompatFinder(MetaPathFinder):
    """Finds `mmcv._ext`, xtcocotools, and the modules that a bridge mends.

    Args:
        bridges: module name -> functions to call with that module once it has been executed.
    """

    def __init__(self, bridges: Mapping[str, Sequence[Bridge]]) -> None:
        self.bridges = bridges

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is ours to handle, None for every other."""
        if fullname in REPLACED:
            return spec_from_file_location(fullname, REPLACED[fullname])
        bridges = self.bridges.get(fullname, ())
        if fullname != EXTENSION and not bridges:
            return None
        spec = self._find_elsewhere(fullname, path, target)
        if spec is None and fullname == EXTENSION:
            return spec_from_file_location(fullname, STAND_IN)
        if spec is not None and spec.loader is not None and bridges:
            spec.loader = BridgingLoader(spec.loader, bridges)
        return spec

    def _find_elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        """Ask the other finders."""
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


class BridgingLoader(Loader):
    """Loads a module as `loader` does, then calls the bridges on it.

    The module keeps its own loader afterwards, so that source look-up and package resources see
    nothing of this.
    """

    def __init__(self, loader: Loader, bridges: Sequence[Bridge]) -> None:
        self.loader = loader
        self.bridges = bridges

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module as the wrapped loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then its bridges."""
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        for bridge in self.bridges:
            bridge(module)
