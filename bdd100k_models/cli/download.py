"""``tools/download.py``: weights of published models into the local store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bdd100k_models import weights
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError
from bdd100k_models.zoo import catalogue, tasks
from bdd100k_models.zoo.catalogue import PublishedModel


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="download.py",
        description="Fetch weights of published models into the local store "
        f"(${weights.STORE_VARIABLE}, else ~/.cache/bdd100k_models), from the mirrors in "
        f"${weights.MIRRORS_VARIABLE} or the published server.",
    )
    parser.add_argument("patterns", nargs="*", metavar="NAME", help="names or wildcards")
    parser.add_argument("--task", choices=tasks.TASKS, metavar="TASK", help="%(choices)s")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="show which are in the store")
    action.add_argument("--md5", action="store_true", help="verify those that are in the store")
    action.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="copy FILE into the store as the weights of the one model NAME",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch, list, verify or add what ``argv`` names; 1 when a file is missing or damaged.

    Raises:
        UserError: an unknown name, or a command that names nothing.
    """
    args = build_parser().parse_args(argv)
    if not (args.patterns or args.task or args.list or args.md5):
        raise UserError("name the models to download: names, wildcards such as '*', or --task")
    models = catalogue.select(args.patterns, args.task)
    models = [model for model in models if model.weights is not None]
    if args.source is not None:
        if len(models) != 1:
            raise UserError(f"--from takes one model, {len(models)} are named")
        print(f"wrote {weights.add_to_store(args.source, models[0])}")
        return 0
    if args.list:
        for model in models:
            mark = "stored" if weights.stored_path(model).is_file() else "-"
            print(f"{mark:7} {model.name}")
        return 0
    failed = 0
    for model in models:
        failed += not (verified(model) if args.md5 else downloaded(model))
    if failed:
        print(f"{failed} of {len(models)} failed")
    return 1 if failed else 0


def downloaded(model: PublishedModel) -> bool:
    """Fetch the weights of a model and say where they are, or why they are nowhere."""
    try:
        print(f"{model.name}: {weights.find_published(model)}")
    except UserError as error:
        print(f"{model.name}: {error}")
        return False
    return True


def verified(model: PublishedModel) -> bool:
    """Compare the stored weights of a model with their MD5; those that are not stored count not."""
    path = weights.stored_path(model)
    if not path.is_file():
        return True
    try:
        known = weights.verify(path, model.md5)
    except UserError as error:
        print(f"{model.name}: {error}")
        return False
    print(f"{model.name}: {'ok' if known else f'no MD5 to compare {path} with'}")
    return True
