"""doc/RELIABILITY.md names tests that there are."""

from __future__ import annotations

import re

import pytest

from bdd100k_models.files import REPOSITORY

_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_fault_has_a_test() -> None:
    text = (REPOSITORY / "doc" / "RELIABILITY.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`tests/" in line]
    faults = [line for line in text.splitlines() if line.count(" | ") == 2 and "| | |" not in line]
    assert len(faults) == len(rows) + 2  # the head, and the line below it
    for file, name in _NAMED.findall(text):
        path = REPOSITORY / file
        if not path.is_file():
            pytest.fail(f"{file} is not there")
        assert re.search(rf"^\s*(def|class) {name}\b", path.read_text(), re.M), f"{file}::{name}"
