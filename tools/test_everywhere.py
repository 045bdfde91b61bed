#!/usr/bin/env python3
"""Try the zoo on every supported Python that is here, each with packages of its own.

    python tools/test_everywhere.py [--only 3.10 3.14] [--python PATH …] [--markdown doc/PYTHONS.md]

Each row is a lock of locks/ in an environment of its own under --folder: the demo's models on the
same rendered scenes, then a selection of the tests. Pythons are looked for on the PATH, among those
of pyenv and uv, and in --python. Environments are made by uv where it is installed, which keeps
what they have in common once on the disk, else by tools/setup_environment.py; one that is there is
used again while its lock is the same.
"""

import argparse
import datetime
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, os.fspath(ROOT / "tools"))
from setup_environment import BACKEND, PYTHONS, lock_file, python_of, written  # noqa: E402

TESTS = (
    *("tests/compat/bridges", "tests/compat/test_finder.py", "tests/compat/test_xtcocotools.py"),
    *("tests/config", "tests/evaluation/test_official.py", "tests/files", "tests/frames"),
    *("tests/engine/test_loading.py", "tests/engine/test_training_steps.py"),
    *("tests/test_system.py", "tests/weights/test_reading.py", "tests/zoo/test_catalogue.py"),
)
FOUND_IN = (
    os.path.join(os.environ.get("PYENV_ROOT", "~/.pyenv"), "versions/{}.*/bin/python3"),
    "~/.local/share/uv/python/cpython-{}.*/bin/python3",
)
SHOWN = ("torch", "numpy", "pydantic", "pandas", "matplotlib", "opencv-python-headless")
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


@dataclass(frozen=True)
class Row:
    """One environment and what came of it."""

    name: str
    packages: "dict[str, str]"
    demo: str
    tests: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not re.search(r"fail|error|not made|[1-9]\d* below", f"{self.demo} {self.tests}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "work_dirs" / "everywhere")
    parser.add_argument("--python", nargs="+", default=[], metavar="PATH", help="more Pythons")
    parser.add_argument("--only", nargs="+", metavar="X.Y", help="these; oldest is one more")
    parser.add_argument("--tests", nargs="*", default=TESTS, metavar="PATH", help="none: no tests")
    parser.add_argument("--models", nargs="*", metavar="MODEL", help="of the demo; default: all")
    parser.add_argument("--markdown", type=Path, help="file whose table is brought up to date")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    interpreters = find_pythons(args.python)
    wanted = [(version, False) for version in PYTHONS] + [(PYTHONS[0], True)]
    rows, missing = [], []
    for version, oldest in wanted:
        name = f"{written(version)}{', oldest packages' if oldest else ''}"
        if args.only and ("oldest" if oldest else written(version)) not in args.only:
            continue
        if version not in interpreters:
            missing.append(name)
            continue
        rows.append(try_out(name, interpreters[version], lock_file(version, oldest), args))
        print(f"\n{table(rows)}\n", flush=True)
        if args.markdown:
            update(args.markdown, rows)
    for name in missing:
        print(f"Python {name}: not here; pass its interpreter with --python PATH", file=sys.stderr)
    return 0 if rows and all(row.passed for row in rows) else 1


def find_pythons(given: "list[str]") -> "dict[tuple[int, int], str]":
    """The interpreters that are here, by version; what was given comes first."""
    found: dict[tuple[int, int], str] = {}
    candidates = list(given)
    for version in PYTHONS:
        for pattern in FOUND_IN:
            candidates += sorted(glob.glob(os.path.expanduser(pattern.format(written(version)))))
        candidates.append(shutil.which(f"python{written(version)}") or "")
    code = "import sys, ensurepip; print(*sys.version_info[:2])"
    for candidate in filter(None, candidates):
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor = map(int, done.stdout.split())
            found.setdefault((major, minor), candidate)
        elif candidate in given:
            raise SystemExit(f"error: --python {candidate} does not run, or has no ensurepip")
    return found


def try_out(name: str, interpreter: str, lock: Path, args: argparse.Namespace) -> Row:
    """Make the environment, run the demo and the tests in it."""
    print(f"\n== Python {name} ({interpreter})", flush=True)
    started = time.monotonic()
    folder = args.folder / lock.stem
    try:
        python = make_environment(folder, interpreter, lock)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"not made: {command}", file=sys.stderr)
        return Row(name, {}, "environment not made", "", time.monotonic() - started)
    demo = "" if args.models == [] else run_demo(python, folder, args)
    tests = run_tests(python, folder, list(args.tests)) if args.tests else ""
    return Row(name, versions(python), demo, tests, time.monotonic() - started)


def make_environment(folder: Path, interpreter: str, lock: Path) -> Path:
    """The interpreter of an environment with the packages of a lock.

    Raises:
        subprocess.CalledProcessError: a step failed, and has said why.
    """
    environment = folder / "env"
    python = python_of(environment).absolute()
    digest = hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()
    stamp = folder / "made"
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    folder.mkdir(exist_ok=True)
    uv = shutil.which("uv")
    if uv is None:
        oldest = ["--oldest"] if lock.name.startswith("oldest") else []
        script = ROOT / "tools" / "setup_environment.py"
        subprocess.run([interpreter, script, "--venv", environment, *oldest], check=True)
    else:
        pins = folder / "pins.txt"
        mmcv = [line for line in lock.read_text().splitlines() if line.startswith("mmcv==")]
        pins.write_text(lock.read_text().replace(mmcv[0], ""))
        install = [uv, "pip", "install", "--quiet", "--python", python, "--no-deps"]
        own = {**os.environ, "PYTHONPATH": os.fspath(BACKEND)}
        subprocess.run(
            [uv, "venv", "--quiet", "--clear", "--python", interpreter, environment], check=True
        )
        subprocess.run([*install, "-r", pins], check=True)
        options = ["--no-cache", "--no-build-isolation"]
        subprocess.run([*install, *options, mmcv[0].split()[0]], check=True, env=own)
    stamp.write_text(digest)
    return python


def run_demo(python: Path, folder: Path, args: argparse.Namespace) -> str:
    """``8 of 8`` models that reach their marks; the scenes are rendered once for all Pythons."""
    out, data = folder / "demo", args.folder / "data"
    only = ["--only", *args.models] if args.models else []
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if data.is_dir():
        (out / "data").symlink_to(data.absolute())
    status, text = run([python, "demo/run.py", "--out", out, *only], folder / "demo.log")
    if not data.is_dir() and (out / "data").is_dir() and not status:
        shutil.move(out / "data", data)
    outcomes = re.findall(r"^[A-Z][\w ]+? {2,}\w\S+ +(\S+) +\S+ +\d+s(.*)$", text, re.MULTILINE)
    if not outcomes:
        return f"failed, see {folder.name}/demo.log"
    below = sum(1 for _, mark in outcomes if "below" in mark)
    scores = ", ".join(score for score, _ in outcomes)
    return f"{len(outcomes) - below} of {len(outcomes)} ({scores})"


def run_tests(python: Path, folder: Path, tests: "list[str]") -> str:
    """The last line of pytest, in short."""
    there = [test for test in tests if (ROOT / test).exists()]
    options = ["-q", "-p", "no:cacheprovider", "--basetemp", os.fspath(folder / "pytest")]
    _, text = run([python, "-m", "pytest", *options, *there], folder / "tests.log")
    shutil.rmtree(folder / "pytest", ignore_errors=True)
    counts = re.findall(r"(\d+ (?:passed|failed|skipped|errors?))\b", text.splitlines()[-1])
    return ", ".join(counts) or f"error, see {folder.name}/tests.log"


def run(command: "list[object]", log: Path) -> "tuple[int, str]":
    """Run a command of the source tree with one thread; gives its status and what it printed."""
    print(f"$ {' '.join(map(str, command))} > {log}", flush=True)
    own = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with log.open("w") as file:
        done = subprocess.run(
            list(map(str, command)), cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=own,
            check=False,
        )  # fmt: skip
    text = log.read_text(errors="replace")
    return done.returncode, text if text.strip() else "nothing was printed"


def versions(python: Path) -> "dict[str, str]":
    """Versions of Python and of the packages that decide most."""
    code = (
        "import platform, sys\nfrom importlib.metadata import version\n"
        "print('Python', platform.python_version())\n"
        "for name in sys.argv[1:]: print(name, version(name))"
    )
    done = subprocess.run([python, "-c", code, *SHOWN], capture_output=True, text=True, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


def table(rows: "list[Row]") -> str:
    """The rows in Markdown."""
    head = ["Python", *SHOWN, "demo", "tests"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in rows:
        first = row.packages.get("Python", row.name.partition(",")[0])
        first += ", oldest packages" if "oldest" in row.name else ""
        cells = [first, *(row.packages.get(name, "") for name in SHOWN), row.demo, row.tests]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def update(page: Path, rows: "list[Row]") -> None:
    """Put the rows into a page, between its marks; rows of other Pythons stay."""
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    old, _, tail = rest.partition(END)
    new = table(rows).splitlines()
    known = {_key(line): line for line in old.strip().splitlines()[2:] if line.startswith("|")}
    known.update((_key(line), line) for line in new[2:])
    lines = [*new[:2], *(known[key] for key in sorted(known, key=_order))]
    when = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    block = "\n".join([BEGIN, *lines, "", f"Tried on {when}.", END])
    page.write_text(f"{head}{block}{tail}", encoding="utf-8")


def _key(line: str) -> str:
    """``3.14`` or ``3.10, oldest packages``: what a row is for."""
    cell = line.split("|")[1].strip()
    return re.sub(r"^(\d+\.\d+)\.\d+", r"\1", cell)


def _order(key: str) -> "tuple[bool, int]":
    return "oldest" in key, int(key.split(",")[0].split(".")[1])


if __name__ == "__main__":
    sys.exit(main())
