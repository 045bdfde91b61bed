"""One static HTML page about a set of runs: scores, commands, pictures; no outside resources."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from bdd100k_models.errors import UserError
from bdd100k_models.files import write_bytes
from bdd100k_models.visualization.pictures import encode_picture, read_picture, thumbnail
from bdd100k_models.visualization.videos import is_animated

_TEMPLATE = "report.html.jinja"
#: Pixels; two of them side by side fill a laptop's screen.
_THUMBNAIL_WIDTH = 880
#: Per-class tables show at most so many metrics, the official order's first.
_METRICS_PER_CLASS = 6


@dataclass(frozen=True)
class ReportTable:
    """A table of a section: its cells as a reader sees them, the first column names the rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    #: Indices of the columns that hold words and not figures, beside the first.
    words: Collection[int] = ()
    #: Shown when asked for only: it is large.
    folded: bool = False


@dataclass(frozen=True)
class ReportRun:
    """What the page says about one run of one model.

    Attributes:
        title: heading of the section, such as «Object detection».
        model: name of the config.
        command: command line that a reader can repeat, in one line.
        scores: metric -> value, in the order to print; NaN where there was nothing to score.
        per_class: metric -> class -> value.
        marks: metric -> the least value that counts as passed.
        pictures: picture files, each with its caption; an animated ``.webp`` is put in as it is.
        tables: further tables, in the order to show.
        notes: sentences that a reader of the scores must know.
        images: number of images behind the scores.
        seconds: duration of the run.
    """

    title: str
    model: str
    command: str
    scores: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    pictures: Sequence[tuple[Path, str]] = ()
    tables: Sequence[ReportTable] = ()
    notes: Sequence[str] = ()
    images: int | None = None
    seconds: float | None = None

    @property
    def passed(self) -> bool:
        """Whether every mark was reached."""
        return all(self.scores.get(name, math.nan) >= mark for name, mark in self.marks.items())


def write_report(
    path: str | Path,
    runs: Sequence[ReportRun],
    *,
    title: str = "BDD100K models",
    introduction: str = "",
    embed: bool = True,
) -> Path:
    """Write the page.

    Args:
        path: the HTML file to write; it appears whole or not at all.
        runs: one section each, in this order.
        title: of the page.
        introduction: a paragraph below the title.
        embed: put thumbnails into the page, so that it can be sent as one file; else the page
            links to the pictures by relative paths.

    Raises:
        UserError: no runs, a picture that cannot be read, or a place that cannot be written to.
    """
    if not runs:
        raise UserError("a report needs at least one run")
    target = Path(path)
    sections = [
        {
            "anchor": f"run-{number}",
            "run": run,
            "headline": headline(run),
            "scores": [
                {
                    "name": name,
                    "value": format_score(value),
                    "mark": run.marks.get(name),
                    "passed": value >= run.marks.get(name, -math.inf),
                }
                for name, value in run.scores.items()
            ],
            "classes": _class_table(run.per_class),
            "pictures": [
                {**_picture(file, target, embed), "caption": caption}
                for file, caption in run.pictures
            ],
        }
        for number, run in enumerate(runs, start=1)
    ]
    page = _template().render(title=title, introduction=introduction, sections=sections)
    return write_bytes(target, page.encode("utf-8"))


def format_score(value: float) -> str:
    """One decimal; a dash for NaN."""
    return f"{value:.1f}" if math.isfinite(value) else "–"


def headline(run: ReportRun) -> str:
    """The score that stands for the run: the first with a mark, else the first of all."""
    names = list(run.marks) or list(run.scores)
    if not names:
        return "–"
    return f"{names[0]} {format_score(run.scores.get(names[0], math.nan))}"


def _class_table(per_class: Mapping[str, Mapping[str, float]]) -> dict[str, Any] | None:
    """Head and rows of the table of classes; classes without any score are left out."""
    metrics = list(per_class)[:_METRICS_PER_CLASS]
    names = dict.fromkeys(name for metric in metrics for name in per_class[metric])
    rows = [
        (name, [format_score(per_class[metric].get(name, math.nan)) for metric in metrics])
        for name in names
        if any(math.isfinite(per_class[metric].get(name, math.nan)) for metric in metrics)
    ]
    return {"metrics": metrics, "rows": rows} if rows else None


def _picture(file: Path, page: Path, embed: bool) -> dict[str, Any]:
    """What an ``img`` element needs, and the link to the whole picture."""
    if file.suffix.lower() == ".webp" and is_animated(file):
        return _animation(file)
    image = read_picture(file)
    link = os.path.relpath(file.resolve(), page.resolve().parent)
    # A page that is moved takes along what lies below it; a link to elsewhere would break.
    reachable = not link.startswith(os.pardir)
    if not embed:
        height, width = image.shape[:2]
        return {"src": _as_url(link), "width": width, "height": height, "link": _as_url(link)}
    small = thumbnail(image, _THUMBNAIL_WIDTH)
    data = base64.b64encode(encode_picture(small, ".jpg")).decode("ascii")
    return {
        "src": f"data:image/jpeg;base64,{data}",
        "width": small.shape[1],
        "height": small.shape[0],
        "link": _as_url(link) if reachable else None,
    }


def _animation(file: Path) -> dict[str, Any]:
    """An animated picture, whole: it is small, and links might lead nowhere."""
    from PIL import Image

    with Image.open(file) as image:
        width, height = image.size
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    src = f"data:image/webp;base64,{data}"
    return {"src": src, "width": width, "height": height, "link": None}


def _as_url(relative: str) -> str:
    from urllib.parse import quote

    return quote(Path(relative).as_posix())


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE)
