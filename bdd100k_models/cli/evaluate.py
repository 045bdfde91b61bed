"""``tools/evaluate.py``: score predictions with the official evaluators."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models import config, evaluation
from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.evaluation import Form
from bdd100k_models.evaluation.locations import form_of, score_file_beside
from bdd100k_models.evaluation.predictions import whose


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="evaluate.py",
        description="Score predictions with the official BDD100K and Scalabel evaluators.",
    )
    parser.add_argument("task", choices=evaluation.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="Scalabel JSON, or a folder of PNG masks",
    )
    parser.add_argument(
        "--data-root",
        help="folder with labels/ (default: $BDD100K_DATA_ROOT, else data/bdd100k)",
    )
    parser.add_argument(
        "--ground-truth", type=Path, help="Scalabel JSON or PNG folder in the place of the official"
    )
    parser.add_argument("--split", default="val", choices=("train", "val", "test"))
    parser.add_argument(
        "--form",
        choices=evaluation.FORMS,
        help="form of the predictions (default: masks for a folder of PNGs, else json)",
    )
    parser.add_argument(
        "--score-file",
        type=Path,
        help="score.json of instance bitmasks (default: beside the folder of PNGs)",
    )
    parser.add_argument(
        "--predicted-only",
        action="store_true",
        help="score only the images that have predictions, as after a run with --limit",
    )
    parser.add_argument("--out-file", type=Path, help="write the scores as JSON")
    parser.add_argument(
        "--nproc", type=positive, default=1, help="number of processes (default: 1)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the official table of the predictions that ``argv`` names.

    Raises:
        UserError: see :func:`bdd100k_models.evaluation.evaluate`.
    """
    args = build_parser().parse_args(argv)
    note = whose(args.task, args.predictions)
    if note is not None:
        print(f"note: {note}")
    form: Form = args.form or form_of(args.predictions)
    scores = evaluation.evaluate(
        args.task,
        args.ground_truth
        or evaluation.ground_truth_path(
            args.task, config.data_root(args.data_root), args.split, form
        ),
        args.predictions,
        form=form,
        score_file=args.score_file or score_file_beside(args.predictions),
        predicted_only=args.predicted_only,
        nproc=args.nproc,
        progress=sys.stderr.isatty(),
    )
    print(scores.table())
    if args.out_file is not None:
        print(f"scores written to {scores.save(args.out_file)}")
    return 0
