"""``tools/analyze.py``: why the score of some predictions is what it is."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models import config, evaluation
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError
from bdd100k_models.files import write_json
from bdd100k_models.zoo import tasks


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="analyze.py",
        description="Explain a score: kinds of errors and what they cost, by class, size, weather, "
        "scene and time of day; calibration; borders; joints; broken tracks.",
    )
    parser.add_argument("task", choices=evaluation.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="Scalabel JSON")
    add_ground_truth(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all tables as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write all tables as a page")
    return parser


def add_ground_truth(parser: Parser) -> None:
    """What the predictions are held against."""
    parser.add_argument(
        "--data-root",
        help="folder with labels/ (default: $BDD100K_DATA_ROOT, else data/bdd100k)",
    )
    parser.add_argument(
        "--ground-truth", type=Path, help="Scalabel JSON in the place of the official one"
    )
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument(
        "--tags",
        type=Path,
        metavar="FILE",
        help="Scalabel JSON with weather, scene and time of day, where the ground truth has none "
        "(default: the labels of detection below the data root, if they are there)",
    )
    parser.add_argument(
        "--predicted-only",
        action="store_true",
        help="leave out the images that have no predictions, as after a run with --limit",
    )


def ground_truth_of(
    task: str, ground_truth: Path | None, tags: Path | None, data_root: str | None, split: str
) -> tuple[Path, Path | None]:
    """The file of labels, and that of the pictures' attributes, if there is one.

    Raises:
        UserError: no labels where they should be.
    """
    root = config.data_root(data_root)
    labels = ground_truth or evaluation.ground_truth_path(task, root, split)
    if tags is None and not tasks.facts(task).videos:
        try:
            tags = evaluation.ground_truth_path("tagging", root, split)
        except UserError:
            tags = None  # they are a bonus
    return labels, tags


def main(argv: Sequence[str] | None = None) -> int:
    """Print the analysis of the predictions that ``argv`` names.

    Raises:
        UserError: see :func:`bdd100k_models.analysis.analyze`.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.analysis import analyze

    truth, tags = ground_truth_of(
        args.task, args.ground_truth, args.tags, args.data_root, args.split
    )
    analysis = analyze(
        args.task, truth, args.predictions, tags_from=tags, predicted_only=args.predicted_only
    )
    print(analysis.text())
    if args.json is not None:
        print(f"\ntables written to {write_json(args.json, analysis.as_json())}")
    if args.html is not None:
        from bdd100k_models.visualization import ReportRun, write_report

        command = shlex.join(
            ["python", "tools/analyze.py", args.task, str(args.predictions)]
            + (["--data-root", args.data_root] if args.data_root else [])
            + (["--ground-truth", str(args.ground_truth)] if args.ground_truth else [])
        )
        run = ReportRun(
            title=f"{tasks.facts(args.task).title}: analysis",
            model=str(args.predictions),
            command=command,
            scores=analysis.scores,
            tables=[table.for_page() for table in analysis.tables],
            notes=analysis.notes,
            images=analysis.units if analysis.unit == "pictures" else None,
        )
        print(
            f"\npage written to {write_report(args.html, [run], title='BDD100K models: analysis')}"
        )
    return 0
