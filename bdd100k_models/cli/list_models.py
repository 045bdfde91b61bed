"""``tools/list_models.py``: the published models as a table, as JSON, or by name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from bdd100k_models import weights
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError, nearest
from bdd100k_models.zoo import catalogue, tasks
from bdd100k_models.zoo.catalogue import PublishedModel
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
        "--format", choices=("table", "json", "names"), default="table", help="default: table"
    )
    parser.add_argument(
        "--all", action="store_true", help="also models that other code bases run (Vis4D)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the models that ``argv`` names.

    Raises:
        UserError: an unknown name, a pattern without a match, or a metric that none has.
    """
    args = build_parser().parse_args(argv)
    models = catalogue.select(args.patterns, args.task, external=args.all)
    if args.sort:
        models = ranked(models, args.sort)
    if args.format == "json":
        print(json.dumps([as_json(model) for model in models], indent=2, ensure_ascii=False))
    elif args.format == "names":
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
