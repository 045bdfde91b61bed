"""Interleaved timing of two ways to the same result, and the machine that it was done on."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Comparison:
    """Two ways to the same result.

    Attributes:
        name: what is compared.
        baseline: the straightforward way.
        ours: this package's way; must return what ``baseline`` returns.
    """

    name: str
    baseline: Callable[[], object]
    ours: Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Medians over the repeats, milliseconds, and the median of the ratios pair by pair."""

    name: str
    baseline_ms: float
    ours_ms: float
    ratio: float


def measure(comparison: Comparison, repeats: int) -> Timing:
    """Time both ways in turn, so that a change of the machine's pace meets both alike.

    Raises:
        AssertionError: the two ways do not give the same result.
    """
    if not same(comparison.baseline(), comparison.ours()):
        raise AssertionError(f"{comparison.name}: the two ways differ")
    baseline: list[float] = []
    ours: list[float] = []
    for _ in range(repeats):
        for way, seconds in ((comparison.baseline, baseline), (comparison.ours, ours)):
            begin = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - begin)
    return Timing(
        name=comparison.name,
        baseline_ms=1e3 * statistics.median(baseline),
        ours_ms=1e3 * statistics.median(ours),
        ratio=statistics.median(b / o for b, o in zip(baseline, ours, strict=True)),
    )


def same(left: object, right: object) -> bool:
    """Equality of plain data that may hold arrays."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def machine() -> dict[str, str]:
    """What the figures depend on: processor, cores, system and versions."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(timings: Sequence[Timing]) -> str:
    """The machine, and a line for each timing."""
    width = max(len(timing.name) for timing in timings)
    lines = [", ".join(f"{key} {value}" for key, value in machine().items()), ""]
    lines.append(f"{'':<{width}}  {'plain ms':>9}  {'ours ms':>9}  {'ratio':>6}")
    lines += [
        f"{timing.name:<{width}}  {timing.baseline_ms:>9.3f}  {timing.ours_ms:>9.3f}"
        f"  {timing.ratio:>5.1f}x"
        for timing in timings
    ]
    return "\n".join(lines)
