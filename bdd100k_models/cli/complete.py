"""``bdd100k-models complete``: the two packages that ``pip install`` cannot bring by itself.

mmcv 1.x comes as source that today's setuptools do not build, and both ask for packages that are
not needed and do not install. An mmcv, mmcv-full or mmpose that is there is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from bdd100k_models import compat
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError

#: Stands in for setuptools while mmcv is built.
BACKEND = Path(compat.__file__).with_name("mmcv_build")
#: What to install, and the distributions that hold the same modules.
PACKAGES = {
    "mmcv==1.7.0": ("mmcv", "mmcv-full", "mmcv-lite"),
    "mmpose==0.29.0": ("mmpose",),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Install what is missing into the environment of this Python.

    Raises:
        UserError: it failed; pip has said why.
    """
    parser = Parser(prog="bdd100k-models complete", description=(__doc__ or "").strip())
    parser.parse_args(argv)
    for requirement, names in PACKAGES.items():
        there = [f"{name} {version}" for name in names if (version := _version(name))]
        if there:
            print(f"{there[0]} is there, it stays")
        else:
            install(requirement)
    compat.check_packages()
    return 0


def install(requirement: str) -> None:
    """Install one package without its dependencies.

    Raises:
        UserError: it failed; pip has said why.
    """
    print(f"installing {requirement}", flush=True)
    uv = shutil.which("uv")
    # A wheel from here must not come from a cache for somebody who builds mmcv as it is.
    if find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir"]
    elif uv is not None:
        command = [uv, "pip", "install", "--python", sys.executable, "--no-cache"]
    else:
        raise UserError(f"{sys.prefix} has no pip: {sys.executable} -m ensurepip, then once more")
    done = subprocess.run(
        [*command, "--no-deps", "--no-build-isolation", "--quiet", requirement],
        env={**os.environ, "PYTHONPATH": os.fspath(BACKEND), "PYTHONSAFEPATH": "1"},
        check=False,
    )
    if done.returncode:
        raise UserError(f"{requirement} could not be installed; why is said above")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
