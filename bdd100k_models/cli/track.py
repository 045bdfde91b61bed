"""``tools/track.py``: identities for the boxes of any detector, by motion and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.predictions import require_categories
from bdd100k_models.files import replacing
from bdd100k_models.frames import Frame
from bdd100k_models.frames.reading import check_labels
from bdd100k_models.frames.tracks import video_frame
from bdd100k_models.frames.videos import flat, read_videos
from bdd100k_models.zoo.classes import DET, TRACKED

if TYPE_CHECKING:
    from bdd100k_models.tracking.motion import MotionTracker


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="track.py",
        description="Track the boxes of a detector over videos by motion and overlap (ByteTrack's "
        "association): no appearance, no weights.",
    )
    parser.add_argument(
        "detections",
        type=Path,
        metavar="DET",
        help="det.json whose frames have videoName and frameIndex, as det/test.py --videos "
        "writes it",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="mot.json")
    parser.add_argument(
        "--high-score", type=float, default=0.6, help="boxes that are matched first (default: 0.6)"
    )
    parser.add_argument(
        "--low-score", type=float, default=0.1, help="weaker boxes are left out (default: 0.1)"
    )
    parser.add_argument(
        "--new-score", type=float, default=0.7, help="boxes that begin a track (default: 0.7)"
    )
    parser.add_argument(
        "--match-iou", type=float, default=0.2, help="least overlap with a track (default: 0.2)"
    )
    parser.add_argument(
        "--lost-frames",
        type=positive,
        default=10,
        metavar="N",
        help="a track ends when it is not seen for more frames (default: 10, 2 s of BDD100K)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Track what ``argv`` names.

    Raises:
        UserError: files that are missing or wrong, frames that are not of videos, or thresholds
            that make no sense.
    """
    args = build_parser().parse_args(argv)
    from bdd100k_models.tracking.motion import MotionSettings, MotionTracker

    if not 0 <= args.low_score <= args.high_score <= 1 or not 0 <= args.match_iou <= 1:
        raise UserError(
            f"thresholds are shares, and --low-score is not above --high-score: got "
            f"--low-score {args.low_score:g}, --high-score {args.high_score:g}, "
            f"--match-iou {args.match_iou:g}"
        )
    videos = read_videos(args.detections, "detections")
    check_detections(flat(videos), args.detections)
    tracker = MotionTracker(
        MotionSettings(
            args.high_score, args.low_score, args.new_score, args.match_iou, args.lost_frames
        )
    )
    tracked, identities = [], 0
    for frames in videos.values():
        made = track_video(tracker, frames)
        identities += len({label["id"] for frame in made for label in frame["labels"]})
        tracked += made
    _write(args.out, tracked)
    print(f"{len(videos)} videos, {len(tracked)} frames, {identities} identities: wrote {args.out}")
    return 0


def check_detections(frames: Sequence[Frame], path: Path) -> None:
    """Labels are boxes with scores, of classes that a detector of the zoo knows.

    Raises:
        UserError: the first that is not.
    """
    where = f"detections {path}"
    check_labels(frames, where)
    require_categories(frames, DET, where, "mot")
    for frame in frames:
        for label in frame.get("labels") or ():
            for key in ("box2d", "score"):
                if label.get(key) is None:
                    raise UserError(
                        f"{where}: a label of frame {frame['name']!r} has no {key}; tracks are "
                        "made of boxes with scores, as det/test.py writes them"
                    )


def track_video(tracker: MotionTracker, frames: Sequence[Frame]) -> list[Frame]:
    """The tracks of one video, frames in order; classes that do not move are left out."""
    tracker.reset()
    made = []
    for frame in frames:
        labels = [label for label in frame.get("labels") or () if label["category"] in TRACKED]
        boxes = np.array(
            [
                # From the last pixels inside to edges.
                [box["x1"], box["y1"], box["x2"] + 1, box["y2"] + 1, label["score"]]
                for label in labels
                for box in (label["box2d"],)
            ],
            dtype=np.float32,
        ).reshape(-1, 5)
        classes = np.array([TRACKED.index(label["category"]) for label in labels], np.int64)
        rows, ids = tracker.match(frame["frameIndex"], boxes, classes)
        shown = [
            {
                "id": str(int(identity)),
                "category": labels[row]["category"],
                "score": labels[row]["score"],
                "box2d": labels[row]["box2d"],
            }
            for row, identity in zip(rows.tolist(), ids, strict=True)
        ]
        made.append(video_frame(frame["name"], frame["videoName"], frame["frameIndex"], shown))
    return made


def _write(path: Path, frames: Sequence[Frame]) -> None:
    import orjson

    with replacing(path) as part, part.open("wb") as file:
        separator = b'{"frames":[\n'
        for frame in frames:
            file.write(separator + orjson.dumps(frame))
            separator = b",\n"
        file.write(b"\n]}\n")
