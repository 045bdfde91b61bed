import time

import numpy as np
import pytest

from bdd100k_models.benchmarks.timing import Comparison, Timing, machine, measure, same, table


def test_ratio_is_baseline_over_ours() -> None:
    timing = measure(Comparison("sleep", lambda: time.sleep(0.02), lambda: time.sleep(0.002)), 3)
    assert timing.baseline_ms >= 20
    assert 2 <= timing.ours_ms < timing.baseline_ms
    assert 2 < timing.ratio < 10.5


def test_ways_that_differ_are_not_timed() -> None:
    with pytest.raises(AssertionError, match="counting: the two ways differ"):
        measure(Comparison("counting", lambda: [1, 2], lambda: [1, 3]), 1)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": [np.arange(3), (1, "x")]}, {"a": (np.arange(3), [1, "x"])}, True),
        ({"a": np.arange(3)}, {"a": np.arange(4)}, False),
        ({"a": 1}, {"b": 1}, False),
        ([1], [1, 2], False),
        (1.5, 1.5, True),
    ],
)
def test_same(left: object, right: object, expected: bool) -> None:
    assert same(left, right) is expected


def test_table_names_the_machine_and_every_timing() -> None:
    lines = table([Timing("one", 20.0, 4.0, 5.0), Timing("another", 1.0, 2.0, 0.5)]).splitlines()
    assert machine()["numpy"] in lines[0]
    assert lines[3:] == [
        "one         20.000      4.000    5.0x",
        "another      1.000      2.000    0.5x",
    ]
