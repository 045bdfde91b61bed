"""``tools/compare.py``: two sets of predictions over the same ground truth."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models import config, evaluation
from bdd100k_models.cli.analyze import add_ground_truth, ground_truth_of
from bdd100k_models.cli.arguments import Parser, count, positive
from bdd100k_models.errors import UserError
from bdd100k_models.files import write_json
from bdd100k_models.frames import Frame
from bdd100k_models.zoo import tasks

if TYPE_CHECKING:
    from bdd100k_models.analysis import Comparison


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="compare.py",
        description="Compare two sets of predictions: scores, their differences and how sure these "
        "are, and the pictures where they differ most.",
    )
    parser.add_argument("task", choices=evaluation.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument("first", type=Path, metavar="A", help="Scalabel JSON")
    parser.add_argument("second", type=Path, metavar="B", help="Scalabel JSON")
    add_ground_truth(parser)
    parser.add_argument(
        "--draws",
        type=positive,
        default=1000,
        metavar="N",
        help="resamples that the intervals are read from (default: 1000)",
    )
    parser.add_argument("--seed", type=count, default=0, help="of the resamples (default: 0)")
    parser.add_argument(
        "--show",
        type=positive,
        default=10,
        metavar="N",
        help="how many of the pictures that differ most (default: 10)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the tables as JSON")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with tables and drawn pictures"
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the pictures to draw for the page (default: the task's, below the data "
        "root, if it is there)",
    )
    parser.add_argument(
        "--min-score", type=float, default=0.3, help="draw no weaker labels (default: 0.3)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison that ``argv`` names.

    Raises:
        UserError: see :func:`bdd100k_models.analysis.compare`.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.analysis import compare

    truth, tags = ground_truth_of(
        args.task, args.ground_truth, args.tags, args.data_root, args.split
    )
    images = args.images
    if images is None:
        pictures = tasks.facts(args.task).pictures.format(split=args.split)
        images = config.data_root(args.data_root) / pictures
    elif not images.is_dir():
        raise UserError(f"no folder of pictures at {images}")
    comparison = compare(
        args.task,
        truth,
        args.first,
        args.second,
        tags_from=tags,
        predicted_only=args.predicted_only,
        draws=args.draws,
        seed=args.seed,
        progress=_progress(args.draws),
    )
    print(f"A: {args.first}\nB: {args.second}\n\n{comparison.text(args.show)}")
    if args.json is not None:
        content = {"A": str(args.first), "B": str(args.second), **comparison.as_json(args.show)}
        print(f"\ntables written to {write_json(args.json, content)}")
    if args.html is not None:
        command = shlex.join(
            ["python", "tools/compare.py", args.task, str(args.first), str(args.second)]
            + (["--data-root", args.data_root] if args.data_root else [])
            + (["--ground-truth", str(args.ground_truth)] if args.ground_truth else [])
        )
        drawn = []
        if comparison.unit == "pictures" and images.is_dir():
            chosen = [comparison.names[index] for index in comparison.most_different(args.show)]
            sources = (truth, args.first, args.second)
            folder = args.html.with_name(f"{args.html.stem}_pictures")
            drawn = draw(chosen, sources, images, folder, args.min_score)
        page = write_page(
            args.html, comparison, (args.first, args.second), command, drawn, args.show
        )
        print(f"\npage written to {page}" + (f", {len(drawn)} pictures" if drawn else ""))
    return 0


def write_page(
    path: Path,
    comparison: Comparison,
    files: tuple[Path, Path],
    command: str,
    pictures: Sequence[tuple[Path, str]],
    shown: int,
) -> Path:
    """Write the page; gives its path.

    Raises:
        UserError: it cannot be written.
    """
    from bdd100k_models.visualization import ReportRun, write_report

    run = ReportRun(
        title=f"{tasks.facts(comparison.task).title}: B against A",
        model=f"A: {files[0]}, B: {files[1]}",
        command=command,
        scores={f"{own.name}, B - A": own.value for own in comparison.scores},
        tables=[table.for_page() for table in comparison.tables(shown)],
        pictures=pictures,
        notes=comparison.notes,
        images=len(comparison.names) if comparison.unit == "pictures" else None,
    )
    return write_report(path, [run], title="BDD100K models: comparison")


def draw(
    names: Sequence[str],
    sources: tuple[Path, Path, Path],
    images: Path,
    folder: Path,
    min_score: float,
) -> list[tuple[Path, str]]:
    """Draw ground truth, A and B side by side; gives the files and their captions.

    Raises:
        UserError: a picture is missing, or cannot be written.
    """
    from bdd100k_models.frames.reading import read_frames
    from bdd100k_models.visualization import (
        beside,
        check_targets,
        draw_frame,
        read_picture,
        save_picture,
    )
    from bdd100k_models.visualization.pictures import drawn_name

    check_targets(((name, images / name) for name in names), folder)
    found: list[dict[str, Frame]] = [
        {frame["name"]: frame for frame in read_frames(path, "frames") if frame["name"] in names}
        for path in sources
    ]
    drawn = []
    for name in names:
        image = read_picture(images / name)
        parts = [
            draw_frame(image, frames.get(name, {"name": name}), min_score=least)
            for frames, least in zip(found, (0.0, min_score, min_score), strict=True)
        ]
        picture = beside(parts, ["ground truth", "A", "B"])
        drawn.append((save_picture(folder / drawn_name(name), picture), name))
    return drawn


def _progress(draws: int) -> Callable[[int], None]:
    """A line on stderr every five seconds."""
    started = reported = 0.0

    def report(done: int) -> None:
        nonlocal started, reported
        now = time.monotonic()
        if done == 1:
            started = reported = now  # reading and matching came before
        elif now - reported > 5:
            reported = now
            left = (draws - done) * (now - started) / (done - 1)
            print(f"{done}/{draws} resamples, {left:.0f} s left", file=sys.stderr)

    return report
