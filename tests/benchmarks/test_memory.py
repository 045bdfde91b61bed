"""The memory benchmark runs the real script and counts what it wrote."""

from pathlib import Path

import pytest

from bdd100k_models.benchmarks.memory import MemoryFigure, measure_memory, memory_table


@pytest.mark.slow
def test_runs_of_two_lengths(tmp_path: Path) -> None:
    short, long = measure_memory([2, 12], tmp_path)
    assert (short.images, short.labels) == (2, 200)
    assert (long.images, long.labels) == (12, 1200)
    assert 100 < short.settled_mib <= short.main_mib <= short.all_mib


def test_table() -> None:
    lines = memory_table([MemoryFigure(10, 1000, 790.2, 800.4, 1200.6, 3.2)]).splitlines()
    assert lines[1].split() == ["10", "1000", "790", "800", "1201", "3"]
