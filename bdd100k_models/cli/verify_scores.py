"""``tools/verify_scores.py``: score published predictions and compare with the catalogue."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models import config
from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.zoo import catalogue


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="verify_scores.py",
        description="Score predictions of the validation set with the official evaluator and "
        "compare with what the catalogue tells of the model; exits with 1 where they differ.",
    )
    parser.add_argument("name", metavar="NAME", help="a published model")
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
        "--nproc", type=positive, default=1, help="number of processes (default: 1)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print each metric as told and as found; 1 where they differ or pictures are missing.

    Raises:
        UserError: see :func:`bdd100k_models.evaluation.claims.verify`; or no such model.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.evaluation.claims import verify

    verdict = verify(
        catalogue.find(args.name),
        args.predictions,
        config.data_root(args.data_root),
        nproc=args.nproc,
        progress=sys.stderr.isatty(),
    )
    for claim in verdict.claims:
        print(f"{claim.line()}: {'the same' if claim.holds else 'differs'}")
    print(verdict.scores.coverage())
    for note in verdict.scores.notes:
        print(f"note: {note}")
    return 1 if verdict.problems else 0
