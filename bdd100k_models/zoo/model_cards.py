"""The tables of the tasks' READMEs, rendered from the catalogue, and an entry to begin with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import Author, Paper, PublishedModel
from bdd100k_models.zoo.public import PublicSource
from bdd100k_models.zoo.tasks import TASKS, name_endings

if TYPE_CHECKING:
    from jinja2 import Environment

BEGIN = "<!-- model cards: rendered from metafile.yml by tools/model_card.py, edit that file -->"
END = "<!-- end of the model cards -->"
PUBLIC_BEGIN = (
    "<!-- public weights: rendered from metafile.yml by tools/model_card.py, edit that -->"
)
PUBLIC_END = "<!-- end of the public weights -->"

#: The picture of a task's models, beside its README, and the fewest models that it shows.
PICTURE = "overview.svg"
_PICTURED = 3

#: Kind of link -> its text in a table.
LINK_TEXTS = {
    "scores-val": "val",
    "scores-test": "test",
    "weights": "model",
    "md5": "MD5",
    "preds": "preds",
    "masks": "masks",
    "visuals": "visuals",
}

#: How far public weights fit, as their table has it.
FITS = {
    "identical": "whole, same classes",
    "rows": "all but the classes",
    "backbone_neck": "backbone and neck",
    "backbone": "backbone",
}

_TAG_TITLES = {"weather": "Weather", "scene": "Scene"}


@dataclass(frozen=True)
class Card:
    """One method: its paper and the table of its models, which all have the same columns."""

    title: str
    paper: Paper
    authors: tuple[Author, ...]
    code: str | None
    columns: tuple[str, ...]
    models: tuple[PublishedModel, ...]

    @property
    def reconstructed(self) -> bool:
        """Whether a config of the table was never published."""
        return any(model.reconstructed for model in self.models)


@dataclass(frozen=True)
class Section:
    """Cards under a common headline, if there is one."""

    title: str | None
    cards: tuple[Card, ...]


def sections(models: Iterable[PublishedModel]) -> list[Section]:
    """Models by tag and method, in their order.

    Raises:
        UserError: two models of one table have different columns.
    """
    groups: dict[str | None, dict[str, list[PublishedModel]]] = {}
    for model in models:
        title = f"{model.method} ({model.framework})" if model.framework else model.method
        groups.setdefault(model.tag, {}).setdefault(title, []).append(model)
    return [
        Section(
            _TAG_TITLES.get(tag or ""), tuple(_card(title, group) for title, group in cards.items())
        )
        for tag, cards in groups.items()
    ]


def _card(title: str, models: list[PublishedModel]) -> Card:
    first = models[0]
    for model in models:
        if list(model.columns) != list(first.columns):
            raise UserError(
                f"{model.task}/metafile.yml: {model.name} has the columns "
                f"{', '.join(model.columns)}, but its table has {', '.join(first.columns)}"
            )
    return Card(title, first.paper, first.authors, first.code, tuple(first.columns), tuple(models))


def render(models: Iterable[PublishedModel]) -> str:
    """The model cards of one task as Markdown, links relative to the task's folder."""
    template = _environment().get_template("model_cards.md.jinja")
    models = list(models)
    text = template.render(sections=sections(models), links=_links, config=_config).strip() + "\n"
    if not has_picture(models):
        return text
    return f"![Scores of the models, against parameters and GFLOPs]({PICTURE})\n\n{text}"


def has_picture(models: Iterable[PublishedModel]) -> bool:
    """Whether there are models enough for a picture of score against cost."""
    return sum(model.cost is not None for model in models) >= _PICTURED


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("bdd100k_models"),
        undefined=StrictUndefined,
        autoescape=False,
    )


def render_public(models: Iterable[PublishedModel]) -> str:
    """The public weights of one task as Markdown: a row for each file; empty where there are none.

    Raises:
        UserError: the same file is described in two ways.
    """
    by_file: dict[tuple[str, ...], list[PublishedModel]] = {}
    for model in models:
        if model.public is not None:
            by_file.setdefault((*model.public.urls, model.public.fit), []).append(model)
    groups = list(by_file.values())
    if not groups:
        return ""
    sources = [source for group in groups if (source := group[0].public) is not None]
    for source, group in zip(sources, groups, strict=True):
        for model in group:
            other = model.public
            assert other is not None
            if (other.config, other.dataset, other.metric) != (
                source.config,
                source.dataset,
                source.metric,
            ):
                raise UserError(
                    f"{model.task}/metafile.yml: {model.name} and {group[0].name} say different "
                    f"things of {source.filename}"
                )
    noted: dict[str, list[str]] = {}
    for model in (model for group in groups for model in group):
        if model.public is not None and model.public.note:
            noted.setdefault(model.public.note, []).append(f"`{model.name}`")
    running = [model for group in groups for model in group if _runs(model)]
    template = _environment().get_template("public_weights.md.jinja")
    text = template.render(
        task=groups[0][0].task,
        runs=bool(running),
        example=running[0].name if running else "",
        told=_told(running),
        terms="; ".join(dict.fromkeys(part for source in sources for part in source.terms)),
        rows=[
            {
                "link": _public_links(source),
                "source": source,
                "fit": FITS[source.fit],
                "models": ", ".join(f"`{model.name}`" for model in group),
            }
            for source, group in zip(sources, groups, strict=True)
        ],
        notes=[f"{', '.join(names)}: {note}." for note, names in noted.items()],
    )
    return text.strip() + "\n"


def _runs(model: PublishedModel) -> bool:
    return model.public is not None and model.public.runs(model.tag or model.task)


def _told(models: Iterable[PublishedModel]) -> list[str]:
    """What the classes of each data set are in those of the task."""
    lines: dict[str, None] = {}
    for model in models:
        source = model.public
        known = source.classes(model.tag or model.task) if source is not None else None
        if source is None or known is None:
            continue
        if model.task == "drivable":
            text = (
                "`road` with all its lanes, written as `road.json`; drivable lanes are not known, "
                "so that nothing is scored"
            )
        else:
            text = known.told() or "the same classes"
        lines[f"{source.dataset}: {text}."] = None
    return list(lines)


def _public_links(source: PublicSource) -> str:
    first, *others = source.urls
    more = [f"[another host]({url})" for url in others]
    return ", ".join([f"[{source.filename}]({first})", *more])


def _links(model: PublishedModel, *kinds: str) -> str:
    found = [f"[{LINK_TEXTS[kind]}]({model.links[kind]})" for kind in kinds if kind in model.links]
    return ", ".join(found)


def _config(model: PublishedModel) -> str:
    """The name, which leads to the config where there is one to lead to."""
    if model.config is not None:
        path = Path(model.config).relative_to(model.task).as_posix()
        return f"[`{model.name}`]({path})" + (r"\*" if model.reconstructed else "")
    assert model.source is not None
    if model.source.startswith("http"):
        return f"[`{model.name}`]({model.source})"
    runs_as = catalogue.find(model.runs_as) if model.runs_as is not None else None
    return f"`{model.source}`" + (f", runs as {_config(runs_as)}" if runs_as is not None else "")


def rendered_readme(task: str, root: Path = REPOSITORY) -> str:
    """The README of a task as it should be: its text, with the cards between the two marks.

    Raises:
        UserError: there is no README, or it lacks the marks.
    """
    path = root / task / "README.md"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"no {path}: write the task's text there, with the line {BEGIN}") from None
    models = catalogue.load(root / "model-index.yml").values()
    own = [model for model in models if model.task == task]
    text = _between(path, text, BEGIN, END, "the model cards", render(own))
    public = render_public(own)
    if public:
        text = _between(path, text, PUBLIC_BEGIN, PUBLIC_END, "the public weights", public)
    return text


def _between(path: Path, text: str, begin: str, end: str, what: str, new: str) -> str:
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UserError(f"{path}: the lines {begin} and {end} must stand around {what}")
    return f"{before}{begin}\n\n{new}\n{end}{after}"


def stale(tasks: Iterable[str], root: Path = REPOSITORY) -> list[Path]:
    """The READMEs whose cards differ from the catalogue."""
    paths = [(root / task / "README.md", rendered_readme(task, root)) for task in tasks]
    return [path for path, text in paths if path.read_text(encoding="utf-8") != text]


def update(tasks: Iterable[str], root: Path = REPOSITORY) -> list[Path]:
    """Render the cards of those READMEs that need it; gives their paths."""
    written = []
    for task in tasks:
        path, text = root / task / "README.md", rendered_readme(task, root)
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def skeleton(name: str, root: Path = REPOSITORY) -> str:
    """An entry to fill in, after that of the task's model with the most similar name.

    The task is told by the name's config file, else by the end of the name, else it is det.
    """
    found = sorted(root.glob(f"*/configs/**/{name}.py"))
    by_ending = (task for task in TASKS if name.endswith(name_endings(task)))
    task = found[0].relative_to(root).parts[0] if found else next(by_ending, "det")
    models = [
        model
        for model in catalogue.load(root / "model-index.yml").values()
        if model.task == task and model.framework is None
    ]
    near = max(models, key=lambda model: SequenceMatcher(None, model.name, name).ratio())
    folder = near.tag or task
    config = (
        found[0].relative_to(root).as_posix()
        if found
        else f"{task}/configs/{folder}/{name}.py  # write this file first"
    )
    settings = {key: value for key, value in near.columns.items() if key not in near.metrics}
    marks = {"✓": "true", "": "false"}
    return "\n".join(
        [
            f"  - Name: {name}",
            f"    In Collection: {near.method}  # a new method gets an entry in Collections",
            f"    Config: {config}",
            f"    Metadata:  # the columns of the table, as {near.name} has them",
            *(f"      {key}: {marks.get(value, value)}" for key, value in settings.items()),
            "    Results:",
            f"      - Task: {TASKS[task].title}",
            "        Dataset: BDD100K",
            "        Metrics:  # percent, by the official evaluator",
            *(f"          {key}: 0.00" for key in near.metrics),
            "    Weights: https://…",
            "    MD5: 32 hexadecimal digits",
        ]
    )
