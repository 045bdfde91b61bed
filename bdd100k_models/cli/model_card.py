"""``tools/model_card.py``: render and check the model cards, review a new one."""

from __future__ import annotations

from collections.abc import Sequence

from bdd100k_models.cli.arguments import Parser
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue, model_cards
from bdd100k_models.zoo.tasks import TASKS, facts


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="model_card.py",
        description="Render the tables of TASK/README.md from TASK/metafile.yml.",
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="default: all tasks")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="write nothing, fail if one is stale")
    action.add_argument("--new", metavar="NAME", help="review the entry of a model that you add")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what ``argv`` asks for; 1 when a README is stale or an entry is not complete.

    Raises:
        UserError: an unknown task, a metafile or README that cannot be used, or no such entry.
    """
    args = build_parser().parse_args(argv)
    for task in args.tasks:
        facts(task)  # tells an unknown one
    tasks = args.tasks or list(TASKS)
    if args.new is not None:
        return _review(args.new)
    if args.check:
        stale = model_cards.stale(tasks)
        for path in stale:
            print(f"{path.relative_to(REPOSITORY)} differs from its metafile.yml")
        if stale:
            print("run python tools/model_card.py and commit what it writes")
        return 1 if stale else 0
    for path in model_cards.update(tasks):
        print(f"wrote {path.relative_to(REPOSITORY)}")
    return 0


def _review(name: str) -> int:
    if name not in catalogue.catalogue():
        print(f"no metafile.yml has {name} yet. Add this to that of its task, and fill it in:\n")
        print(model_cards.skeleton(name))
        return 1
    problems = model_cards.review(name)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{name} is complete; now run python tools/model_card.py and commit what it writes")
    return 0
