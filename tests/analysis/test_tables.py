"""Tables as text and as JSON."""

from __future__ import annotations

import math

import pytest

from bdd100k_models.analysis.tables import format_cell, table


def test_names_stand_left_and_figures_right() -> None:
    own = table(
        "k", "Title", ["name", "n", "what"], [["a", 5, "x"], ["long", 12.34, "yy"]], "how to read"
    )
    assert own.text().splitlines() == [
        "Title",
        "  how to read",
        "name     n  what",
        "a        5  x",
        "long  12.3  yy",
    ]


def test_json_has_rows_by_column_and_null_for_nothing() -> None:
    own = table("k", "Title", ["name", "a", "b"], [["x", math.nan, None]])
    assert own.as_json() == {"title": "Title", "rows": [{"name": "x", "a": None, "b": None}]}
    assert own.cells() == [["x", "–", "–"]]


@pytest.mark.parametrize(
    ("cell", "text"), [(1.25, "1.2"), (-0.01, "0.0"), (math.inf, "–"), (3, "3"), ("a", "a")]
)
def test_cells(cell: float | str, text: str) -> None:
    assert format_cell(cell) == text
