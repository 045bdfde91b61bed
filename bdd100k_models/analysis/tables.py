"""Tables as text, as JSON and as a page has them: one content, three forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bdd100k_models.visualization.report import ReportTable

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: its name in JSON.
        title: what it shows.
        columns: heads of the columns, no two alike; the first is that of the rows' names.
        rows: cells; None where there is nothing to say.
        note: how to read it.
        decimals: of its fractions.
        wide: too wide for a terminal; JSON and page have it.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    decimals: int = 1
    wide: bool = False

    def cells(self) -> list[list[str]]:
        """Every cell as a reader sees it; a dash for what is not there."""
        return [[format_cell(cell, self.decimals) for cell in row] for row in self.rows]

    @property
    def words(self) -> set[int]:
        """Indices of the columns that hold words."""
        columns = range(len(self.columns))
        return {index for index in columns if any(isinstance(row[index], str) for row in self.rows)}

    def text(self) -> str:
        """Title, note, and the rows in columns; names on the left, figures on the right."""
        lines = [list(self.columns), *self.cells()]
        widths = [max(len(line[index]) for line in lines) for index in range(len(self.columns))]
        shown = [
            "  ".join(
                cell.ljust(width) if index in self.words else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *([f"  {self.note}"] if self.note else []), *shown])

    def for_page(self) -> ReportTable:
        """The same as a page shows it."""
        return ReportTable(
            self.title, self.columns, self.cells(), self.note, self.words, folded=self.wide
        )

    def as_json(self) -> dict[str, Any]:
        """The same for a program: rows by column, None for what is not finite."""
        return {
            "title": self.title,
            "rows": [
                {
                    name: None if isinstance(cell, float) and not math.isfinite(cell) else cell
                    for name, cell in zip(self.columns, row, strict=True)
                }
                for row in self.rows
            ],
        }


def table(
    key: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    note: str = "",
    decimals: int = 1,
    wide: bool = False,
) -> Table:
    """A :class:`Table` of any sequences."""
    return Table(key, title, tuple(columns), tuple(map(tuple, rows)), note, decimals, wide)


def format_cell(cell: Cell, decimals: int = 1) -> str:
    """A cell as text: so many decimals, a dash for None and what is not finite."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return "–"
    # Adding 0 makes -0.0, as small negative numbers are rounded to, a plain 0.
    return f"{round(cell, decimals) + 0.0:.{decimals}f}" if isinstance(cell, float) else str(cell)
