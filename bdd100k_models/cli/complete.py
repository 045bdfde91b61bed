"""``bdd100k-models complete``: the two packages that ``pip install`` cannot bring by itself.

mmcv 1.x comes as source that today's setuptools do not build, and both ask for packages that are
not needed and do not install. An mmcv, mmcv-full or mmpose that is there is left as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
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
        UserError: pip failed, and has said why.
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
        UserError: pip failed, and has said why.
    """
    print(f"installing {requirement}", flush=True)
    # A wheel from here must not come from pip's cache for somebody who builds mmcv as it is.
    options = ["--no-deps", "--no-build-isolation", "--no-cache-dir", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, requirement],
        env={**os.environ, "PYTHONPATH": os.fspath(BACKEND), "PYTHONSAFEPATH": "1"},
        check=False,
    )
    if done.returncode:
        raise UserError(f"pip could not install {requirement}; its own message stands above")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
