#!/usr/bin/env python3
"""Make .venv with the pinned packages; nothing is done where they are installed already.

Runs on a bare Python, before any package is there.

    python3 tools/setup_environment.py [--venv DIR] [--torch-index URL] [--system-site-packages]

The Python that runs it is the one of the environment; the versions are those of its lock in locks/.
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
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Those that locks/ has a lock for and `make test-everywhere` tries, the oldest first.
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
OLDEST_TORCH = (2, 10)
#: Stands in for setuptools while mmcv is built.
BACKEND = ROOT / "bdd100k_models" / "compat" / "mmcv_build"
REQUIREMENTS = (
    "requirements-torch.txt",
    "requirements.txt",
    "requirements-no-deps.txt",
    "requirements-dev.txt",
    "setup.cfg",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", default=os.fspath(ROOT / ".venv"))
    parser.add_argument("--torch-index", default=os.environ.get("TORCH_INDEX") or None)
    parser.add_argument("--system-site-packages", action="store_true")
    parser.add_argument(
        "--oldest", action="store_true", help="the oldest packages that the requirements allow"
    )
    parser.add_argument(
        "--no-tools",
        action="store_true",
        help="no tools for tests, and the package copied, not linked",
    )
    args = parser.parse_args()
    folder = Path(args.venv)
    problem = unsupported() or cannot_make(folder)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    lock = lock_file(sys.version_info[:2], oldest=args.oldest)
    if not lock.is_file():
        print(f"error: there is no {lock.relative_to(ROOT)}; leave --oldest out", file=sys.stderr)
        return 2
    wanted = stamp(lock)
    stamp_file = folder / "installed.sha256"
    if stamp_file.is_file() and stamp_file.read_text() == wanted:
        if args.torch_index:
            print(f"{folder} is complete and its torch stays; remove the folder for another one")
        return 0
    try:
        install(folder, lock, args.torch_index, args.system_site_packages, not args.no_tools)
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


def unsupported() -> "str | None":
    """What to tell whoever runs this with a Python that has no lock, with the way out."""
    version = sys.version_info[:2]
    if version in PYTHONS:
        return None
    first, last = written(PYTHONS[0]), written(PYTHONS[-1])
    here = f"Python {first} to {last} are supported, this is {written(sys.version_info[:3])}"
    names = [f"python{written(number)}" for number in reversed(PYTHONS)]
    found = next((path for path in map(shutil.which, names) if path and answers(path)), None)
    if found:
        way_out = f"one of them is here: make setup PYTHON={found}"
    elif version < PYTHONS[0]:
        way_out = (
            f"which is too old for today's torch; install one (python.org has all of them, and "
            f"systems have packages named python{last}), then: make setup PYTHON=python{last}"
        )
    else:
        way_out = (
            f"which is newer than what was tried; install python{last} beside it, then: make setup "
            f"PYTHON=python{last}; or try this one: add ({version[0]}, {version[1]}) to PYTHONS in "
            "tools/setup_environment.py and run tools/lock_environment.py"
        )
    return f"{here} ({sys.executable}); {way_out}" if found else f"{here}, {way_out}"


def answers(python: str) -> bool:
    """Whether a command is a Python that runs, and no stand-in for one that is not installed."""
    try:
        null = subprocess.DEVNULL  # this must run on Python 3.6 too
        done = subprocess.run([python, "-c", ""], stdout=null, stderr=null, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def cannot_make(folder: Path) -> "str | None":
    """What to tell where this Python cannot make the environment, or the folder holds another's."""
    python = python_of(folder)
    if not python.exists():
        if importlib.util.find_spec("ensurepip") is not None:
            return None
        return (
            f"{sys.executable} cannot make environments, as its ensurepip is missing; "
            f"on Debian: apt install python{written(sys.version_info[:2])}-venv"
        )
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    there = answer.stdout.strip()
    if answer.returncode == 0 and there != written(sys.version_info[:2]):
        return (
            f"{folder} is an environment of Python {there}, this is "
            f"{written(sys.version_info[:2])}: remove the folder, name another one with --venv, or "
            f"run make with PYTHON=python{there}"
        )
    return None


def written(version: "tuple[int, ...]") -> str:
    """``(3, 14)`` as ``3.14``."""
    return ".".join(map(str, version))


def lock_file(version: "tuple[int, ...]", oldest: bool = False) -> Path:
    """The versions of all packages for one Python, which pip takes as constraints."""
    return ROOT / "locks" / f"{'oldest-' if oldest else ''}python{written(version)}.txt"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp(lock: Path) -> str:
    """Digest of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    digest.update(lock.read_bytes())
    return digest.hexdigest()


def install(
    folder: Path,
    lock: Path,
    torch_index: "str | None",
    system_site_packages: bool,
    tools: bool = True,
) -> None:
    """Create the environment and install the pinned packages into it.

    Raises:
        subprocess.CalledProcessError: a step of pip failed; pip has said why.
    """
    python = python_of(folder)
    if not python.exists():
        print(f"making {folder}")
        venv.create(folder, with_pip=True, system_site_packages=system_site_packages)
    pip = [os.fspath(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # From here on pip builds what has no pyproject.toml as it builds everything else.
    step("pip", [*pip, "install", "pip>=25.3"])
    version = torch_version(python)
    if version is not None and is_new_enough(version):
        print(f"torch {version} is there and new enough, it stays")
    else:
        if version is not None:
            print(
                f"torch {version} is there and is replaced: before {written(OLDEST_TORCH)} a "
                "checkpoint can make it run code"
            )
        index = ["--index-url", torch_index] if torch_index else []
        step("torch", [*pip, "install", *index, *from_file("requirements-torch.txt", lock)])
    # torch comes with a version of its own where the user chose one, or an index of his.
    rest = folder / "constraints.txt"
    kept = [line for line in lock.read_text().splitlines() if not is_of_torch(line)]
    rest.write_text("\n".join(kept) + "\n")
    step("packages", [*pip, "install", *from_file("requirements.txt", rest)])
    no_deps = ["--no-deps", "--no-build-isolation", "--no-cache-dir"]
    no_deps += from_file("requirements-no-deps.txt", rest)
    step("mmcv and mmpose", [*pip, "install", *no_deps], PYTHONPATH=os.fspath(BACKEND))
    if not tools:
        step("bdd100k_models", [*pip, "install", "--no-deps", os.fspath(ROOT)])
        return
    step("tools for tests", [*pip, "install", *from_file("requirements-dev.txt", rest)])
    editable = ["--no-deps", "--no-build-isolation", "--editable", os.fspath(ROOT)]
    step("bdd100k_models", [*pip, "install", *editable])


def from_file(name: str, constraints: Path) -> "list[str]":
    """pip's arguments for the packages of a file in the versions of another."""
    return ["-r", os.fspath(ROOT / name), "-c", os.fspath(constraints)]


def is_of_torch(pin: str) -> bool:
    """Whether a line of a lock names torch or what belongs to one version of it."""
    return re.match(r"(torch|torchvision|triton|nvidia-|cuda-)[\w-]*==", pin) is not None


def step(what: str, command: "list[str]", **environment: str) -> None:
    """One visible step, with variables of its own in its environment."""
    print(f"installing {what}", flush=True)
    # Packages warn about their own set-up scripts, which is nothing to a user.
    own = {**os.environ, "PYTHONWARNINGS": "ignore", **environment}
    subprocess.run(command, check=True, env=own)


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
