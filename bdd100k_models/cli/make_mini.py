"""``tools/make_mini_bdd100k.py``: render the mini dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser, count, positive


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(prog="make_mini_bdd100k.py", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for images/ and labels/"
    )
    parser.add_argument("--train", type=count, default=240, help="pictures (default: 240)")
    parser.add_argument("--val", type=count, default=60, help="pictures (default: 60)")
    parser.add_argument(
        "--test", type=count, default=8, help="pictures without labels (default: 8)"
    )
    parser.add_argument("--train-videos", type=count, default=24, help="videos (default: 24)")
    parser.add_argument("--val-videos", type=count, default=8, help="videos (default: 8)")
    parser.add_argument(
        "--test-videos", type=count, default=2, help="videos without labels (default: 2)"
    )
    parser.add_argument(
        "--frames", type=positive, default=20, help="of each video, 5 a second (default: 20)"
    )
    parser.add_argument("--seed", type=count, default=0, help="default: 0")
    parser.add_argument(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        help="processes; the files are the same for any number (default: one per core)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Render the dataset that ``argv`` asks for.

    Raises:
        UserError: the folder cannot be used, or a number makes no sense.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.data.mini.dataset import MiniOptions, build
    from bdd100k_models.engine.progress import Progress

    options = MiniOptions(
        args.train,
        args.val,
        args.test,
        args.seed,
        args.train_videos,
        args.val_videos,
        args.test_videos,
        args.frames,
    )
    progress = Progress(sum(options.pictures.values()) + sum(options.videos.values()))
    build(args.out, options, args.workers, lambda: progress.update(1))
    progress.close()
    print(f"{args.out}: {_numbers(options.pictures)} pictures, {_numbers(options.videos)} videos")
    return 0


def _numbers(by_split: Mapping[str, int]) -> str:
    """``1 train, 2 val and 0 test``."""
    return "{train} train, {val} val and {test} test".format(**by_split)
