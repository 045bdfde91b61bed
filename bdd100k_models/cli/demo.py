"""``make demo``: every task on rendered scenes that no model has seen, scored and drawn."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bdd100k_models.cli import commands
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import FROM_SOURCE, REPOSITORY, workspace
from bdd100k_models.zoo import tasks

#: Pictures that are rendered and scored.
PICTURES = 60
#: Videos that are rendered, tracked and scored, and frames of each.
VIDEOS, FRAMES = 8, 20
#: Pictures of each task in the report; of tracking one is a video.
SHOWN = 4
#: Exit status when a score is below its mark.
BELOW_MARK = 1


@dataclass(frozen=True)
class DemoModel:
    """A mini model of ``demo/models``, and the scores in percent that it must reach."""

    name: str
    task: str
    title: str
    marks: Mapping[str, float]
    arguments: Sequence[str] = field(default_factory=tuple)


MODELS: tuple[DemoModel, ...] = (
    DemoModel("tagging_weather_mini", "tagging", "Weather tagging", {"accuracy_top-1": 80}),
    DemoModel("tagging_scene_mini", "tagging", "Scene tagging", {"accuracy_top-1": 80}),
    DemoModel("det_mini", "det", "Object detection", {"AP50": 40}),
    DemoModel("ins_seg_mini", "ins_seg", "Instance segmentation", {"AP50": 30}),
    DemoModel("sem_seg_mini", "sem_seg", "Semantic segmentation", {"mIoU": 50}),
    DemoModel("drivable_mini", "drivable", "Drivable area", {"mIoU": 70}),
    DemoModel("pan_seg_mini", "pan_seg", "Panoptic segmentation", {"PQ": 20}),
    DemoModel("pose_mini", "pose", "Pose estimation", {"AP50": 30}),
    DemoModel("mot_mini", "mot", "Multiple object tracking", {"mMOTA": 50, "mIDF1": 60}),
)


@dataclass(frozen=True)
class Outcome:
    """One model's run."""

    model: DemoModel
    command: str
    scores: dict[str, float]
    pictures: list[Path]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every mark was reached."""
        return all(self.scores.get(name, -1.0) >= mark for name, mark in self.model.marks.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Render, run all models, print a table, write ``report.html``; 1 when a mark is missed.

    Raises:
        UserError: a step failed (its own message stands above), or a model is not there.
    """
    parser = Parser(prog="demo/run.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=workspace() / "demo" / "out", metavar="DIR")
    parser.add_argument(
        "--only", nargs="+", choices=[model.name for model in MODELS], metavar="MODEL"
    )
    args = parser.parse_args(argv)
    out = args.out.resolve()
    started = time.monotonic()
    data = make_data(out)
    models = [model for model in MODELS if not args.only or model.name in args.only]
    outcomes = [run(model, data, out) for model in models]
    print("\n" + table(outcomes) + "\n")
    page = report(outcomes, out)
    print(f"{time.monotonic() - started:.0f} s; report with pictures: {page}")
    missed = [outcome.model.name for outcome in outcomes if not outcome.passed]
    if missed:
        print(f"below the mark: {', '.join(missed)}", file=sys.stderr)
        return BELOW_MARK
    return 0


def make_data(out: Path) -> Path:
    """The mini dataset's val split with its JSONs, rendered unless it is there already."""
    data = out / "data"
    if not (data / "jsons" / "box_track_val_cocofmt.json").is_file():
        sizes = ["--train", "0", "--val", str(PICTURES), "--test", "0"]
        sizes += ["--train-videos", "0", "--val-videos", str(VIDEOS), "--test-videos", "0"]
        sizes += ["--frames", str(FRAMES)]
        step("tools/make_mini_bdd100k.py", "--out", os.fspath(data), *sizes)
        step("tools/prepare_data.py", "--data-root", os.fspath(data), "--splits", "val", "--quiet")
    return data


def step(script: str, *arguments: str) -> str:
    """Run one of the zoo's scripts; gives the command line as a user would type it.

    Raises:
        UserError: it failed.
    """
    if FROM_SOURCE:
        command = [sys.executable, os.fspath(REPOSITORY / script), *arguments]
        typed = ["python", script]
    else:
        typed = commands.as_called(script).split()
        command = [sys.executable, "-m", "bdd100k_models", *typed[1:], *arguments]
    shown = shlex.join([*typed, *map(_short, arguments)])
    print(f"$ {shown}", flush=True)
    status = subprocess.run(command, cwd=workspace(), check=False).returncode
    if status:
        raise UserError(f"the demo stopped: {script} ended with status {status}")
    return shown


def _short(argument: str) -> str:
    prefix = f"{REPOSITORY}{os.sep}"
    return argument.removeprefix(prefix)


def run(model: DemoModel, data: Path, out: Path) -> Outcome:
    """Predict, score and draw with one mini model.

    Raises:
        UserError: its checkpoint is not there, or its run failed.
    """
    config = REPOSITORY / "demo" / "models" / f"{model.name}.py"
    weights = config.with_suffix(".pth")
    if not weights.is_file():
        raise UserError(f"no weights at {weights}; train them: python tools/train.py {config}")
    folder = out / model.name
    started = time.monotonic()
    command = step(
        f"{model.task}/test.py",
        os.fspath(config),
        *("--checkpoint", os.fspath(weights), "--data-root", os.fspath(data)),
        *("--format-dir", os.fspath(folder), "--show-dir", os.fspath(folder / "pictures")),
        *("--eval", "--overwrite", *model.arguments),
    )
    seconds = time.monotonic() - started
    pictures = sorted((folder / "pictures").rglob("*.jpg"))
    if tasks.facts(model.task).videos:
        pictures = [
            animate(pictures[:FRAMES], folder / "video.webp"),
            *pictures[FRAMES // 2 :: FRAMES],
        ]
    return Outcome(model, command, read_scores(model, folder), pictures, seconds)


def animate(pictures: Sequence[Path], target: Path) -> Path:
    """The drawn frames of a video as one picture that moves."""
    from bdd100k_models.tasks.videos import FRAME_RATE
    from bdd100k_models.visualization import read_picture
    from bdd100k_models.visualization.videos import save_animation

    return save_animation(target, map(read_picture, pictures), FRAME_RATE)


def read_scores(model: DemoModel, folder: Path) -> dict[str, float]:
    """The figures that a run left behind, in percent; the ones with a mark come first."""
    found: dict[str, Any] = {}
    for name in ("results.json", "summary.json"):
        if (folder / name).is_file():
            found.update(json.loads((folder / name).read_text(encoding="utf-8")))
    first = {name: float(found[name]) for name in model.marks if name in found}
    rest = {k: float(v) for k, v in found.items() if isinstance(v, (int, float)) and k != "images"}
    return {**first, **rest}


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a model: score, mark, seconds."""
    lines = [f"{'task':26}{'metric':16}{'score':>7}{'mark':>7}{'time':>7}"]
    for outcome in outcomes:
        for metric, mark in outcome.model.marks.items():
            score = outcome.scores.get(metric, float("nan"))
            lines.append(
                f"{outcome.model.title:26}{metric:16}{score:7.1f}{mark:7.0f}"
                f"{outcome.seconds:6.0f}s{'' if outcome.passed else '  below the mark'}"
            )
    return "\n".join(lines)


def report(outcomes: Sequence[Outcome], out: Path) -> Path:
    """The page with scores and pictures."""
    from bdd100k_models.visualization.report import ReportRun, write_report

    return write_report(
        out / "report.html",
        [
            ReportRun(
                title=outcome.model.title,
                model=outcome.model.name,
                command=outcome.command,
                scores=outcome.scores,
                marks=outcome.model.marks,
                pictures=[(path, path.name) for path in outcome.pictures[:SHOWN]],
                images=VIDEOS * FRAMES if tasks.facts(outcome.model.task).videos else PICTURES,
                seconds=outcome.seconds,
            )
            for outcome in outcomes
        ],
        title="BDD100K models: demo",
        introduction=(
            "Small models, trained on rendered driving scenes, on scenes that they have not seen. "
            "Scores are those of the official evaluators, in percent."
        ),
    )
