"""``tools/visualize.py``: draw the frames of a Scalabel JSON file onto their pictures.

Frames of videos with identities become a picture each and a video file for each video.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels, read_frames
from bdd100k_models.frames.videos import flat, picture_path, read_videos


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="visualize.py",
        description="Draw predictions, or labels, in Scalabel JSON onto their pictures.",
    )
    parser.add_argument(
        "--frames", type=Path, required=True, help="Scalabel JSON, as test.py writes it"
    )
    parser.add_argument(
        "--images",
        type=Path,
        required=True,
        help="folder of the pictures; of videos: the folder that holds one for each, or the file",
    )
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
    parser.add_argument(
        "--frame-rate",
        type=float,
        metavar="N",
        help="of video files (default: that of the file read, else BDD100K's 5)",
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

    if _of_videos(args.frames):
        return _draw_videos(args)
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


def _of_videos(path: Path) -> bool:
    """Whether a file is of frames of videos whose labels have identities."""
    content = read_json(path, "frames") if path.is_file() else None
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list):
        return path.is_dir() and any(map(_of_videos, sorted(path.glob("*.json"))[:1]))
    return any(isinstance(frame, dict) and frame.get("videoName") for frame in frames)


def _draw_videos(args: argparse.Namespace) -> int:
    """Draw tracks; frames of each video in order.

    Raises:
        UserError: see :func:`read_videos`, `check_labels`, `check_targets`; a picture that is
            missing, or two videos of which a file has one.
    """
    from bdd100k_models.tasks.videos import FRAME_RATE, VideoFile, is_video
    from bdd100k_models.visualization import beside, check_targets, read_picture, save_picture
    from bdd100k_models.visualization.pictures import drawn_name
    from bdd100k_models.visualization.tracks import TrackPainter
    from bdd100k_models.visualization.videos import VideoWriter

    videos = read_videos(args.frames, "frames")
    check_labels(flat(videos), f"frames {args.frames}")
    truth = read_videos(args.ground_truth, "ground truth") if args.ground_truth else {}
    check_labels(flat(truth), f"ground truth {args.ground_truth}")
    file = VideoFile(args.images) if args.images.is_file() and is_video(str(args.images)) else None
    if file is not None and len(videos) > 1:
        raise UserError(
            f"--images {args.images} is one video, {args.frames} has frames of {len(videos)}: "
            "give the folder that holds them"
        )
    check_targets(
        ((picture_path(f), args.images / picture_path(f)) for f in flat(videos)), args.out
    )
    rate = args.frame_rate or (file.frame_rate if file is not None else 0) or FRAME_RATE
    left = args.limit or len(flat(videos))
    for video, frames in videos.items():
        true = {frame["frameIndex"]: frame for frame in truth.get(video, ())}
        painters = TrackPainter(args.min_score), TrackPainter(args.min_score)
        with VideoWriter(args.out / f"{video}.mp4", rate) as film:
            for frame in frames[:left]:
                place = picture_path(frame)
                image = (
                    file.read(frame["frameIndex"])
                    if file is not None
                    else read_picture(args.images / place)
                )
                picture = painters[0].draw(image, frame)
                if truth:
                    shown = true.get(frame["frameIndex"], {"labels": []})
                    pair = [painters[1].draw(image, shown), picture]
                    picture = beside(pair, ["ground truth", "predictions"])
                save_picture(args.out / drawn_name(place), picture)
                film.write(picture)
        left -= len(frames[:left])
        print(f"{args.out / f'{video}.mp4'}: {len(frames)} frames", file=sys.stderr)
        if not left:
            break
    print(f"videos, and a folder of pictures for each, in {args.out}")
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
