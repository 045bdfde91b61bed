#!/usr/bin/env python3
"""Write locks/: the versions of all packages that `make setup` installs, for each Python.

    python tools/lock_environment.py                    complete the locks after a change
    python tools/lock_environment.py --upgrade          everything to the newest that fits
    python tools/lock_environment.py --upgrade numpy    these packages only
    python tools/lock_environment.py --python 3.14      one Python

uv resolves (it is among the tools for tests), for any Python on any machine. A version that a
lock has stays until it is upgraded or no longer fits. ``oldest-pythonX.txt`` has the oldest
versions that the requirements allow, for the oldest Python; `make test-everywhere` tries it
beside the others.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, os.fspath(ROOT / "tools"))
from setup_environment import PYTHONS, lock_file, written  # noqa: E402

RESOLVED = ("requirements-torch.txt", "requirements.txt", "requirements-dev.txt")
UNRESOLVED = "requirements-no-deps.txt"
PIN = re.compile(r"^[A-Za-z0-9][\w.-]*==[^\s;#]+")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--python", nargs="+", choices=[*map(written, PYTHONS)], metavar="X.Y", help="default: all"
    )
    parser.add_argument(
        "--upgrade", nargs="*", metavar="NAME", help="newest versions, of all packages or of these"
    )
    args = parser.parse_args()
    wanted = [version for version in PYTHONS if not args.python or written(version) in args.python]
    uv = shutil.which("uv", path=os.pathsep.join([os.path.dirname(sys.executable), os.defpath]))
    uv = uv or shutil.which("uv")
    if uv is None:
        print("error: this needs uv: python -m pip install uv", file=sys.stderr)
        return 2
    for version in wanted:
        resolve(uv, version, lock_file(version), upgrades(args.upgrade))
    if PYTHONS[0] in wanted:
        oldest = lock_file(PYTHONS[0], oldest=True)
        resolve(uv, PYTHONS[0], oldest, ["--resolution", "lowest-direct", "--upgrade"])
    return 0


def upgrades(names: "list[str] | None") -> "list[str]":
    """uv's options for what ``--upgrade`` was given."""
    if names is None:
        return []
    return [f"--upgrade-package={name}" for name in names] if names else ["--upgrade"]


def resolve(uv: str, version: "tuple[int, int]", lock: Path, options: "list[str]") -> None:
    """Write one lock.

    Raises:
        SystemExit: nothing fits; uv has said why.
    """
    print(f"resolving {lock.relative_to(ROOT)}", flush=True)
    lock.parent.mkdir(exist_ok=True)
    before = pins(lock)
    lock.write_text("".join(f"{pin}\n" for pin in before if not pin.startswith(unresolved())))
    command = [uv, "pip", "compile", *RESOLVED, "--output-file", os.fspath(lock)]
    command += ["--python-version", written(version), "--python-platform", "x86_64-manylinux_2_28"]
    command += ["--annotation-style", "line", "--no-header", "--quiet"]
    done = subprocess.run([*command, *options], cwd=ROOT, check=False)
    if done.returncode:
        lock.write_text("".join(f"{pin}\n" for pin in before))
        raise SystemExit(f"error: {lock.name} stays as it was: no set of packages fits")
    text = lock.read_text() + (ROOT / UNRESOLVED).read_text()
    head = f"# Written by tools/lock_environment.py for Python {written(version)}; not by hand.\n"
    lock.write_text(head + "".join(f"{line}\n" for line in text.splitlines() if PIN.match(line)))


def pins(lock: Path) -> "list[str]":
    """The lines ``NAME==VERSION`` of a lock, with what stands behind them."""
    lines = lock.read_text().splitlines() if lock.is_file() else []
    return [line for line in lines if PIN.match(line)]


def unresolved() -> "tuple[str, ...]":
    """How the pins of packages begin that are installed without their dependencies."""
    lines = (ROOT / UNRESOLVED).read_text().splitlines()
    return tuple(line.partition("==")[0] + "==" for line in lines if PIN.match(line))


if __name__ == "__main__":
    sys.exit(main())
