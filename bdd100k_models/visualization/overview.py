"""The models of a task at a glance: score against parameters and GFLOPs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError
from bdd100k_models.files import replacing
from bdd100k_models.zoo import catalogue, model_cards
from bdd100k_models.zoo.tasks import facts

if TYPE_CHECKING:
    from bdd100k_models.zoo.catalogue import PublishedModel

#: Okabe and Ito's colours, which colour-blind eyes tell apart, without yellow. With each goes a
#: shape; the numbers of both have no divisor in common, so that 35 methods differ.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v")
_DIGEST = re.compile(r"points ([0-9a-f]{16})")
_FORMATS = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Point:
    """A model in the picture: its score in percent, and what it costs."""

    method: str
    name: str
    score: float
    parameters: int
    gflops: float


def points(models: Iterable[PublishedModel]) -> dict[tuple[str, str], list[Point]]:
    """The models that have score and cost, by tag (or nothing) and column of the score."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for model in models:
        column = next((name for name in model.metrics if name.endswith("-val")), None)
        if model.cost is None or column is None:
            continue
        score, cost = model.metrics[column], model.cost
        point = Point(model.method, model.name, score, cost.parameters, cost.gflops)
        groups.setdefault((model.tag or "", column), []).append(point)
    return groups


def plot(models: Sequence[PublishedModel], path: Path) -> Path:
    """Draw models of one task into an SVG, PNG or PDF file.

    Raises:
        UserError: they are of several tasks, none has score and cost, or the file cannot be
            written or has another ending.
    """
    tasks = list(dict.fromkeys(model.task for model in models))
    if len(tasks) != 1:
        raise UserError(f"scores of {', '.join(tasks)} cannot be compared; plot one task, --task")
    if path.suffix not in _FORMATS:
        raise UserError(f"{path}: a plot must end in {', '.join(_FORMATS)}")
    groups = points(models)
    if not groups:
        raise UserError("none of the models has a score and a cost to plot")
    import matplotlib
    from matplotlib.figure import Figure

    # The same bytes for the same points; text stays text.
    style = {"svg.hashsalt": "overview", "svg.fonttype": "none", "font.size": 9}
    with matplotlib.rc_context(style), replacing(path) as part:
        most = max(len({point.method for point in own}) for own in groups.values())
        height = max(3.6, 0.22 * most)  # inches, room for the legend
        figure = Figure(figsize=(10, height * len(groups)), layout="constrained")
        rows = figure.subplots(len(groups), 2, sharey="row", squeeze=False)
        for row, ((tag, column), own) in zip(rows, groups.items(), strict=True):
            _panel(row[0], own, "parameters", 1e-6, "parameters, millions")
            _panel(row[1], own, "gflops", 1, "GFLOPs for one input")
            row[0].set_ylabel(f"{column}, {tag}" if tag else column)
            row[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        rows[0][0].set_title(facts(tasks[0]).title, loc="left")
        extra: dict[str, Any] = {"dpi": 120}
        if path.suffix == ".svg":
            extra["metadata"] = {"Date": None, "Description": f"points {digest(groups)}"}
        figure.savefig(part, format=path.suffix[1:], **extra)
    return path


def _panel(axes: Any, own: Sequence[Point], attribute: str, scale: float, label: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    methods = list(dict.fromkeys(point.method for point in own))
    for number, method in enumerate(methods):
        of_method = [point for point in own if point.method == method]
        axes.scatter(
            [getattr(point, attribute) * scale for point in of_method],
            [point.score for point in of_method],
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            s=22,
            label=method,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)


def digest(groups: dict[tuple[str, str], list[Point]]) -> str:
    """What tells whether a picture shows these points; versions of the library draw otherwise."""
    return hashlib.sha256(repr(groups).encode()).hexdigest()[:16]


def picture(task: str, root: Path) -> tuple[Path, list[PublishedModel]] | None:
    """The file that a task's README shows and the models in it; None where it shows none."""
    models = [m for m in catalogue.load(root / "model-index.yml").values() if m.task == task]
    return (root / task / model_cards.PICTURE, models) if model_cards.has_picture(models) else None


def stale(path: Path, models: Iterable[PublishedModel]) -> bool:
    """Whether a README's picture is missing or shows other points than those of the models."""
    try:
        found = _DIGEST.search(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    return found is None or found[1] != digest(points(models))
