"""``tools/pack_submission.py``: check predictions and pack them for the EvalAI server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser
from bdd100k_models.evaluation import submission
from bdd100k_models.evaluation.predictions import whose


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="pack_submission.py",
        description="Check predictions and pack them for the EvalAI server of their task.",
    )
    parser.add_argument("task", choices=submission.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="Scalabel JSON, output folder of test.py, or folder of PNG masks",
    )
    parser.add_argument("--split", default="test", choices=("val", "test"))
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the split's images: check that each has its prediction, and no other",
    )
    parser.add_argument(
        "--score-file", type=Path, help="score.json of instance bitmasks (default: beside them)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: TASK_SPLIT.zip in the current folder"
    )
    parser.add_argument("--check-only", action="store_true", help="write nothing")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Check, report, and pack what ``argv`` names.

    Raises:
        UserError: see :mod:`bdd100k_models.evaluation.submission`.
    """
    args = build_parser().parse_args(argv)
    note = whose(args.task, args.predictions)
    if note is not None:
        print(f"note: {note}")
    checked = submission.check(
        args.task, args.predictions, args.split, args.images, args.score_file
    )
    labels = f", {checked.labels} labels" if checked.labels else ""
    print(f"{args.task}: {checked.images} images{labels}: no mistake found")
    for note in checked.notes:
        print(f"note: {note}")
    if not args.check_only:
        target = args.out or Path(f"{args.task}_{args.split}.zip")
        print(f"wrote {submission.pack(checked, target)}")
    return 0
