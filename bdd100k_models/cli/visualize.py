"""``tools/visualize.py``: draw the frames of a Scalabel JSON file onto their pictures."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels, read_frames


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="visualize.py",
        description="Draw predictions, or labels, in Scalabel JSON onto their pictures.",
    )
    parser.add_argument(
        "--frames", type=Path, required=True, help="Scalabel JSON, as test.py writes it"
    )
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--ground-truth", type=Path, help="Scalabel JSON to draw beside, on the left"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="draw this many frames, the file's first"
    )
    parser.add_argument(
        "--min-score", type=float, default=0.3, help="leave weaker labels out (default: 0.3)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Draw what ``argv`` names.

    Raises:
        UserError: files that are missing or wrong; see :func:`read_frames`, `check_labels`,
            `check_targets` and `read_picture`.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.visualization import check_targets

    frames = read_frames(args.frames, "frames")[: args.limit]
    check_labels(frames, f"frames {args.frames}")
    check_targets(((f["name"], args.images / f["name"]) for f in frames), args.out)
    truth = None
    if args.ground_truth is not None:
        truth = {frame["name"]: frame for frame in read_frames(args.ground_truth, "ground truth")}
        shown = [truth[frame["name"]] for frame in frames if frame["name"] in truth]
        check_labels(shown, f"ground truth {args.ground_truth}")
    started = reported = time.monotonic()
    for number, frame in enumerate(frames, start=1):
        draw_one(frame, args.images, args.out, args.min_score, truth)
        now = time.monotonic()
        if now - reported > 5 or number == len(frames):
            reported = now
            rate = number / max(now - started, 1e-9)
            left = (len(frames) - number) / rate
            print(
                f"{number}/{len(frames)} pictures, {rate:.1f} a second, {left:.0f} s left",
                file=sys.stderr,
            )
    print(f"{len(frames)} pictures in {args.out}")
    return 0


def draw_one(
    frame: Frame,
    images: Path,
    out: Path,
    min_score: float,
    truth: dict[str, Frame] | None = None,
) -> Path:
    """Draw one frame and write it below ``out`` under its own name; gives the file.

    Raises:
        UserError: the picture is missing, or cannot be written.
    """
    from bdd100k_models.visualization import beside, draw_frame, read_picture, save_picture
    from bdd100k_models.visualization.pictures import drawn_name

    name = frame["name"]
    image = read_picture(images / name)
    picture = draw_frame(image, frame, min_score=min_score)
    if truth is not None:
        true_frame = truth.get(name, {"name": name})
        picture = beside([draw_frame(image, true_frame), picture], ["ground truth", "predictions"])
    return save_picture(out / drawn_name(name), picture)
