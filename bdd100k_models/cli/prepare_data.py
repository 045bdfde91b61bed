"""``tools/prepare_data.py``: convert and check the labels of BDD100K or of the mini dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser, positive

#: Exit status when a wanted task could not be prepared.
NOT_PREPARED = 1


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(prog="prepare_data.py", description=__doc__)
    parser.add_argument(
        "--data-root",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that holds images/ and labels/; jsons/ is written there",
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="tasks that must be prepared (default: all that have labels)",
    )
    parser.add_argument("--splits", nargs="+", choices=("train", "val"), default=["train", "val"])
    parser.add_argument(
        "--workers",
        type=positive,
        default=min(16, os.cpu_count() or 1),
        help="processes (default: one per core, 16 at most)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare what ``argv`` asks for and print a line for each task and split.

    Raises:
        UserError: the data root is none, or a task is unknown.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.data.preparation import prepare

    reports = prepare(args.data_root, args.tasks, args.splits, args.workers, args.quiet)
    for report in reports:
        print(f"{report.status:8}{report.task} {report.split}: {report.summary}")
        for note in report.notes:
            print(f"        note: {note}")
    if not any(report.status == "ready" for report in reports):
        print("nothing was prepared")
        return NOT_PREPARED
    return NOT_PREPARED if any(report.status == "failed" for report in reports) else 0
