"""``tools/list_models.py``: the published models as a table, as cards, as JSON, or by name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from bdd100k_models import weights
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.cli.commands import as_called
from bdd100k_models.errors import UserError, nearest
from bdd100k_models.zoo import catalogue, tasks
from bdd100k_models.zoo.catalogue import SERVER, Cost, PublishedModel
from bdd100k_models.zoo.model_cards import FITS
from bdd100k_models.zoo.public import PublicSource


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="list_models.py",
        description="List the published models.",
        epilog="Weights: published, on a server that has been gone since March 2026; local, the "
        "same in your store; public, those of others, trained on other data, which run with "
        "--checkpoint public; start, those of others that can only start a training.",
    )
    parser.add_argument(
        "patterns", nargs="*", metavar="NAME", help="names or wildcards, such as '*swin*'"
    )
    parser.add_argument("--task", choices=tasks.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument(
        "--sort", metavar="METRIC", help="best first, for instance 'Box AP-val' or 'mIoU-test'"
    )
    parser.add_argument(
        "--format",
        choices=("card", "table", "json", "names"),
        help="default: a card where one name is given, else a table",
    )
    parser.add_argument(
        "--all", action="store_true", help="also models that other code bases run (Vis4D)"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw score against parameters and GFLOPs of a task's models (.svg, .png, .pdf)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the models that ``argv`` names.

    Raises:
        UserError: an unknown name, a pattern without a match, a metric that none has, or a plot
            that cannot be drawn.
    """
    args = build_parser().parse_args(argv)
    models = catalogue.select(args.patterns, args.task, external=args.all)
    if args.sort:
        models = ranked(models, args.sort)
    if args.plot is not None:
        from bdd100k_models.visualization.overview import plot

        print(f"wrote {plot(models, args.plot)}")
        return 0
    single = len(args.patterns) == 1 and models and not set(args.patterns[0]) & set("*?[")
    form = args.format or ("card" if single and not args.sort else "table")
    if form == "card":
        print("\n\n".join("\n".join(card(model)) for model in models))
    elif form == "json":
        print(json.dumps([as_json(model) for model in models], indent=2, ensure_ascii=False))
    elif form == "names":
        print("\n".join(model.name for model in models))
    else:
        print("\n".join(table(models)))
    return 0


def ranked(models: Iterable[PublishedModel], metric: str) -> list[PublishedModel]:
    """The models that have a metric, the highest value first.

    Raises:
        UserError: none has it; the message names those that there are.
    """
    models = list(models)
    known = list(dict.fromkeys(key for model in models for key in model.metrics))
    having = [model for model in models if metric in model.metrics]
    if not having:
        hint = nearest(metric, known, f"there are {', '.join(known)}")
        raise UserError(f"--sort {metric!r}: no such metric here; {hint}")
    return sorted(having, key=lambda model: -model.metrics[metric])


def as_json(model: PublishedModel) -> dict[str, object]:
    """All facts of a model as JSON-able values."""
    facts = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return facts | {
        "paper": dataclasses.asdict(model.paper),
        "authors": [dataclasses.asdict(author) for author in model.authors],
        "columns": dict(model.columns),
        "metrics": dict(model.metrics),
        "links": dict(model.links),
        "tag": model.tag,
        "public": _public_json(model.public),
        "cost": dataclasses.asdict(model.cost) if model.cost is not None else None,
        "kinds_of_weights": kinds_of_weights(model),
    }


def _public_json(source: PublicSource | None) -> dict[str, object] | None:
    if source is None:
        return None
    facts = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    return facts | {"rename": dict(source.rename), "owner": source.owner, "terms": source.terms}


def table(models: Sequence[PublishedModel]) -> list[str]:
    """Lines with name, task, method, weights and metrics, in columns under each other."""
    if not models:
        return ["no models"]
    rows = [
        (model.name, model.task, model.method, ", ".join(kinds_of_weights(model)) or "-")
        for model in models
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for model, row in zip(models, rows, strict=True):
        left = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        figures = "  ".join(f"{key} {model.columns[key]}" for key in model.metrics)
        lines.append(f"{left}  {figures}")
    count = f"{len(models)} model" + ("s" if len(models) > 1 else "")
    return [*lines, count]


def card(model: PublishedModel) -> list[str]:
    """Lines with what there is to know of a model, and the commands to run and train it."""
    facts = tasks.facts(model.task)
    ours = model.config is not None
    config = model.config or f"{model.source}, of {model.framework or 'another code base'}"
    settings = [
        f"{key} {value or 'no'}" for key, value in model.columns.items() if key not in model.metrics
    ]
    rows = [
        ("task", f"{facts.title} ({model.task})"),
        ("method", f"{model.method}: {model.paper.title} ({model.paper.venue})"),
        ("paper", model.paper.url),
        ("settings", ", ".join(settings)),
        ("scores", ", ".join(f"{key} {model.columns[key]}" for key in model.metrics)),
        ("cost", _cost(model.cost)),
        ("config", config),
        *(("weights", text) for text in _places(model)),
        *_commands(model, model.name if ours else model.runs_as),
    ]
    lines = [model.name]
    for number, (key, text) in enumerate(rows):
        if text:
            lines.append(f"  {key if number == 0 or key != rows[number - 1][0] else '':9} {text}")
    return lines


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return ""
    height, width = cost.size
    return (
        f"{cost.parameters / 1e6:.1f} M parameters, {cost.gflops:g} GFLOPs for an input of "
        f"{height}x{width}"
    )


def _places(model: PublishedModel) -> list[str]:
    """Where weights are now."""
    places = []
    if model.weights is not None:
        gone = model.weights.startswith(f"{SERVER}/")
        places.append(f"published: {model.weights}{', which does not answer' if gone else ''}")
        stored = weights.stored_path(model)
        if stored.is_file():
            places.append(f"local: {stored}")
    source = model.public
    if source is not None:
        what = ", ".join(filter(None, [source.dataset, source.metric, FITS[source.fit]]))
        place = weights.stored_public(source)
        where = str(place) if place.is_file() else source.urls[0]
        places.append(f"public: {where} ({what})")
    return places or ["none are known"]


def _commands(model: PublishedModel, name: str | None) -> list[tuple[str, str]]:
    """What to type, by what it does; ``name`` is that of the config that runs it."""
    if name is None:
        return []
    kinds = {kind.partition(" ")[0] for kind in kinds_of_weights(model)}
    choice = "" if "local" in kinds else " --checkpoint FILE"
    own = choice
    if "public" in kinds and choice:
        own = " --checkpoint public"
    start = " --cfg-options load_from=public" if kinds & {"public", "start"} else ""
    commands = [
        ("run", f"python {model.task}/test.py {model.name}{own} --images DIR --show-dir PICTURES"),
        ("score", f"python {model.task}/test.py {model.name}{choice} --data-root DIR --eval"),
        ("train", f"python tools/train.py {name} --data-root DIR{start}"),
    ]
    return [(what, as_called(command)) for what, command in commands]


def kinds_of_weights(model: PublishedModel) -> list[str]:
    """Which weights there are: ``published``, ``public`` or ``start``, and ``local``.

    ``local`` are published ones in the store; ``public (local)`` public ones.
    """
    kinds = ["published"] if model.weights is not None else []
    if model.weights is not None and weights.stored_path(model).is_file():
        kinds.append("local")
    source = model.public
    if source is not None:
        kind = "public" if source.runs(model.tag or model.task) else "start"
        stored = weights.stored_public(source).is_file()
        kinds.append(f"{kind} (local)" if stored else kind)
    return kinds
