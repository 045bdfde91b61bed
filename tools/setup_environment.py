#!/usr/bin/env python3
"""Make .venv with the pinned packages; nothing is done where they are installed already.

Runs on a bare Python, before any package is there.

    python3 tools/setup_environment.py [--venv DIR] [--torch-index URL] [--system-site-packages]

``--torch-index`` is the package index of a torch build (the "Get Started" page of pytorch.org
shows them: CPU only, or a CUDA version); by default the ordinary build of the platform is taken. A
torch >= 2.10 with its torchvision that the environment already has is left as it is; an older one
is replaced, as its loader can be made to run code by a checkpoint (CVE-2026-24747).
"""

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (3, 11)
OLDEST_TORCH = (2, 10)
REQUIREMENTS = (
    "requirements-torch.txt",
    "requirements.txt",
    "requirements-no-deps.txt",
    "requirements-dev.txt",
    "build-constraints.txt",
    "setup.cfg",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", default=os.fspath(ROOT / ".venv"))
    parser.add_argument("--torch-index", default=os.environ.get("TORCH_INDEX") or None)
    parser.add_argument("--system-site-packages", action="store_true")
    args = parser.parse_args()
    if sys.version_info[:2] != PYTHON:
        here = ".".join(map(str, sys.version_info[:3]))
        print(
            f"error: the pinned packages cover Python {PYTHON[0]}.{PYTHON[1]}, this is {here} "
            f"({sys.executable}); run: make setup PYTHON=/path/to/python3.11",
            file=sys.stderr,
        )
        return 2
    folder = Path(args.venv)
    wanted = stamp()
    stamp_file = folder / "installed.sha256"
    if stamp_file.is_file() and stamp_file.read_text() == wanted:
        if args.torch_index:
            print(f"{folder} is complete and its torch stays; remove the folder for another one")
        return 0
    made = (folder / "bin" / "python").exists()
    if not made and importlib.util.find_spec("ensurepip") is None:
        print(
            f"error: {sys.executable} cannot make environments, as its ensurepip is missing; "
            f"on Debian: apt install python{PYTHON[0]}.{PYTHON[1]}-venv",
            file=sys.stderr,
        )
        return 2
    try:
        install(folder, args.torch_index, args.system_site_packages)
    except (subprocess.CalledProcessError, OSError) as error:
        command = getattr(error, "cmd", None)
        what = " ".join(map(str, command)) if command else str(error)
        print(
            f"error: set-up stopped at: {what}; run it again, after removing {folder} if it stops "
            "at the same place",
            file=sys.stderr,
        )
        return 2
    stamp_file.write_text(wanted)
    print(f"ready: {folder}")
    return 0


def stamp() -> str:
    """Digest of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install(folder: Path, torch_index: "str | None", system_site_packages: bool) -> None:
    """Create the environment and install the pinned packages into it.

    Raises:
        subprocess.CalledProcessError: a step of pip failed; pip has said why.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder}")
        venv.create(folder, with_pip=True, system_site_packages=system_site_packages)
    pip = [os.fspath(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # --build-constraint came with pip 25.3.
    step("pip", [*pip, "install", "pip>=25.3"])
    version = torch_version(python)
    if version is not None and is_new_enough(version):
        print(f"torch {version} is there and new enough, it stays")
    else:
        if version is not None:
            oldest = ".".join(map(str, OLDEST_TORCH))
            print(
                f"torch {version} is there and is replaced: before {oldest} a checkpoint can make "
                "it run code"
            )
        index = ["--index-url", torch_index] if torch_index else []
        step("torch", [*pip, "install", *index, "-r", str(ROOT / "requirements-torch.txt")])
    build = ["--build-constraint", str(ROOT / "build-constraints.txt")]
    step("packages", [*pip, "install", *build, "-r", str(ROOT / "requirements.txt")])
    no_deps = str(ROOT / "requirements-no-deps.txt")
    step("mmcv and mmpose", [*pip, "install", "--no-deps", *build, "-r", no_deps])
    step("tools for tests", [*pip, "install", "-r", str(ROOT / "requirements-dev.txt")])
    step("setuptools", [*pip, "install", "setuptools>=77"])
    editable = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    step("bdd100k_models", [*pip, "install", *editable])


def step(what: str, command: "list[str]") -> None:
    """One visible step."""
    print(f"installing {what}", flush=True)
    # Packages warn about their own set-up scripts, which is nothing to a user.
    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})


def torch_version(python: Path) -> "str | None":
    """The version of torch in an environment that has it with a torchvision that fits."""
    code = "import torch, torchvision; torch.ops.torchvision.nms; print(torch.__version__)"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def is_new_enough(version: str) -> bool:
    """Whether torch's restricted loader has no known hole."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return bool(match) and (int(match.group(1)), int(match.group(2))) >= OLDEST_TORCH


if __name__ == "__main__":
    sys.exit(main())
