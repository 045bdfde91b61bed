"""This package's ``test.py`` beside the loop that the OpenMMLab packages offer, run in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdd100k_models.benchmarks.stages import STAGES, Spent
from bdd100k_models.benchmarks.timing import machine
from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json, write_json
from bdd100k_models.files.places import REPOSITORY

#: A model of each task, and a transformer.
MODELS = (
    "faster_rcnn_r50_fpn_1x_det_bdd100k",
    "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k",
    "fcn_r50-d8_512x1024_40k_sem_seg_bdd100k",
    "upernet_swin-t_512x1024_40k_sem_seg_bdd100k",
    "fcn_r50-d8_769x769_40k_drivable_bdd100k",
    "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k",
    "resnet50_5x_weather_tag_bdd100k",
    "hrnet_w32_256x192_1x_pose_bdd100k",
)
#: Variables that set a number of threads: both ways run with what they choose by themselves.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PACKAGES = ("torch", "torchvision", "mmcv", "mmdet", "mmsegmentation", "mmcls", "mmpose")


@dataclass(frozen=True)
class Variant:
    """Options of ``test.py`` that are measured."""

    precision: str = "auto"
    compile: bool = False
    ranks: int = 1
    device: str = "cpu"

    def __str__(self) -> str:
        words = [self.precision]
        if self.compile:
            words.append("compiled")
        if self.ranks > 1:
            words.append(f"{self.ranks} ranks")
        return ", ".join(words)


@dataclass
class Difference:
    """How far two files of the same pictures are apart.

    Attributes:
        labels: labels that were compared.
        other: labels that the other file has not, or with another category.
        number: the largest difference of a number: pixels of boxes and keypoints, scores.
        pixels: share of the pixels of masks and maps that differ.
    """

    labels: int = 0
    other: int = 0
    number: float = 0.0
    pixels: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.other} of {self.labels} labels differ, numbers by at most {self.number:.2g}, "
            f"{self.pixels:.2%} of the pixels"
        )


@dataclass
class Compared:
    """A model both ways.

    Attributes:
        model, task: which.
        cores: CPU cores.
        device: ``cpu`` or ``cuda``.
        baseline: a figure for each run.
        ours: the same for each variant, in the same turns.
        difference: of each variant's results to the baseline's.
    """

    model: str
    task: str
    cores: int
    device: str
    baseline: list[Spent] = field(default_factory=list)
    ours: dict[Variant, list[Spent]] = field(default_factory=dict)
    difference: dict[Variant, Difference] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Pictures of each run."""
        return self.baseline[0].images

    def ratio(self, variant: Variant) -> float:
        """Median of how many times as fast ours is, turn by turn."""
        pairs = zip(self.baseline, self.ours[variant], strict=True)
        return statistics.median(plain.seconds / ours.seconds for plain, ours in pairs)

    def limit(self, variant: Variant) -> float:
        """Pictures/s that the machine could do at best.

        On a CPU the cores over the CPU seconds of decoding and of the forward pass, on a GPU the
        forward pass; each measured alone.
        """
        spent = self.ours[variant]
        if self.device != "cpu":
            return 1 / statistics.median(one.forward for one in spent)
        return self.cores / statistics.median(one.forward_cpu + one.decoding_cpu for one in spent)

    def figures(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "model": self.model,
            "task": self.task,
            "images": self.images,
            "cores": self.cores,
            "device": self.device,
            "baseline": [spent.figures() for spent in self.baseline],
            "ours": [
                {
                    "variant": str(variant),
                    "runs": [one.figures() for one in spent],
                    "ratio_to_baseline": self.ratio(variant),
                    "ratio_to_limit": pace(spent) / self.limit(variant),
                    "difference": vars(self.difference[variant]),
                }
                for variant, spent in self.ours.items()
            ],
        }


def pace(spent: Sequence[Spent]) -> float:
    """Pictures/s: the median."""
    return statistics.median(one.images / one.seconds for one in spent)


# -- running --------------------------------------------------------------------------------------


def render(folder: Path, images: int) -> None:
    """Mini data of ``images`` pictures of 1280x720, with the files that the configs read.

    Raises:
        UserError: they cannot be written.
    """
    from bdd100k_models.data.mini.dataset import MiniOptions, build
    from bdd100k_models.data.preparation import prepare

    workers = os.cpu_count() or 1
    build(folder, MiniOptions(train=0, val=images, test=0), workers)
    for report in prepare(folder, None, ["val"], workers, quiet=True):
        if report.status == "failed":
            raise UserError(f"{report.task}: {report.summary}")


def compare(
    config: str,
    data: Path,
    folder: Path,
    variants: Sequence[Variant],
    repeats: int,
    say: Callable[[str], None],
) -> Compared:
    """Run a model both ways in turn, each time in a fresh process.

    Args:
        config: a config file or published name; its weights are seeded, the same for all.
        data: what :func:`render` made.
        folder: for weights and outputs.
        variants: what to run beside the baseline; all on one device.
        repeats: turns.
        say: takes a line for each run.

    Raises:
        UserError: no such config, or a run failed.
    """
    import torch

    from bdd100k_models import build_model, load_config
    from bdd100k_models.engine.devices import cores
    from bdd100k_models.tasks import task_of

    cfg = load_config(config, data_root=data)
    task = task_of(cfg)
    weights = folder / "weights.pth"
    torch.manual_seed(0)
    torch.save({"state_dict": build_model(cfg).state_dict(), "meta": {}}, weights)
    device = variants[0].device
    found = Compared(Path(cfg.filename).stem, task.name, cores(), device)
    where = os.path.abspath(config) if os.path.isfile(config) else config
    common = ("--checkpoint", os.fspath(weights), "--data-root", os.fspath(data))
    for turn in range(repeats):
        out = folder / "baseline"
        found.baseline.append(
            _spent(
                ["-m", "bdd100k_models.benchmarks.plain_loop", where, *common],
                ["--device", device, "--out", os.fspath(out)],
                folder,
            )
        )
        say(f"{found.model}, turn {turn + 1}: baseline {found.baseline[-1].seconds:.1f} s")
        for variant in variants:
            mine = folder / "ours"
            spent = _spent(
                [*_launch(variant), "-m", "bdd100k_models.benchmarks.timed_test", task.name],
                ["--", where, *common, *_options(variant), "--format-dir", os.fspath(mine)],
                folder,
            )
            found.ours.setdefault(variant, []).append(spent)
            say(f"{found.model}, turn {turn + 1}: ours ({variant}) {spent.seconds:.1f} s")
            found.difference[variant] = difference(
                read_json(mine / task.facts.output), read_json(out / task.facts.output)
            )
    return found


def _launch(variant: Variant) -> list[str]:
    if variant.ranks == 1:
        return []
    return [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(variant.ranks)),
    ]


def _options(variant: Variant) -> list[str]:
    options = ["--precision", variant.precision, "--device", variant.device, "--overwrite"]
    if variant.compile:
        options.append("--compile")
    return [*options, "--launcher", "pytorch"] if variant.ranks > 1 else options


def _spent(command: list[str], more: list[str], folder: Path) -> Spent:
    report, log = folder / "report.json", folder / "log.txt"
    report.unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if key not in _THREADS}
    timing = ["--report", os.fspath(report), "--started", repr(time.time())]
    with open(log, "wb") as output:
        status = subprocess.run(
            [sys.executable, *command, *timing, *more],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if status or not report.is_file():
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise UserError(f"{' '.join(command[:4])} ended with status {status}: {''.join(last)}")
    return Spent(**read_json(report))


# -- whether the results are the same -------------------------------------------------------------


def difference(found: Any, expected: Any) -> Difference:
    """How far the frames of two files are apart; each label is compared with the most similar."""
    result = Difference()
    others = {frame["name"]: frame for frame in expected["frames"]}
    pixels: list[float] = []
    for frame in found["frames"]:
        other = others[frame["name"]]
        if frame.get("attributes"):
            result.labels += 1
            result.other += frame["attributes"] != other.get("attributes")
        mine, theirs = _by_category(frame), _by_category(other)
        for category in {*mine, *theirs}:
            some, rest = mine.get(category, []), list(theirs.get(category, []))
            result.labels += max(len(some), len(rest))
            result.other += abs(len(some) - len(rest))
            for label in some[: len(rest)]:
                apart = [_apart(label, one) for one in rest]
                place = apart.index(min(apart))
                result.number = max(result.number, apart[place])
                partner = rest.pop(place)
                if "rle" in label:
                    pixels.append(_pixels_apart(label["rle"], partner["rle"]))
    result.pixels = statistics.fmean(pixels) if pixels else 0.0
    return result


def _by_category(frame: Any) -> dict[str, list[Any]]:
    labels: dict[str, list[Any]] = {}
    for label in frame["labels"] or ():
        labels.setdefault(label.get("category", ""), []).append(label)
    return labels


def _apart(label: Any, other: Any) -> float:
    """The largest difference of a number."""
    pairs = zip(_numbers(label), _numbers(other), strict=False)
    return max((abs(one - two) for one, two in pairs), default=0.0)


def _numbers(value: Any) -> Iterator[float]:
    """Numbers of a label but for the run lengths, in the order of their keys."""
    if isinstance(value, dict):
        for key in sorted(value):
            if key not in ("id", "rle"):
                yield from _numbers(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def _pixels_apart(rle: Any, other: Any) -> float:
    from pycocotools import mask as coco_mask

    first, second = (coco_mask.decode(dict(one)) for one in (rle, other))
    return float((first != second).mean())


# -- telling --------------------------------------------------------------------------------------


def table(compared: Sequence[Compared]) -> str:
    """A Markdown table: a line for the baseline of each model, and for each variant of ours."""
    lines = [
        "| model | way | pictures/s | × baseline | × limit | forward alone, s | memory, MiB "
        "| start-up, s | loading | forward | conversion | writing | results |",
        f"|{' --- |' * 13}",
    ]
    for one in compared:
        lines.append(_line(one.model, "packages' loop", one.baseline, "1", "", ""))
        for variant, spent in one.ours.items():
            ratio = f"**{one.ratio(variant):.2f}**"
            limit = f"{pace(spent) / one.limit(variant):.2f}"
            apart = str(one.difference[variant])
            lines.append(_line("", f"ours, {variant}", spent, ratio, limit, apart))
    return "\n".join(lines)


def _line(model: str, way: str, spent: Sequence[Spent], ratio: str, limit: str, apart: str) -> str:
    cells = [
        *(model, way, f"{pace(spent):.2f}", ratio, limit),
        f"{statistics.median(one.forward for one in spent):.3f}",
        f"{statistics.median(one.memory_mib for one in spent):.0f}",
        f"{statistics.median(one.start_up for one in spent):.1f}",
    ]
    for stage in STAGES:
        share = statistics.median(one.stages.get(stage, 0) / one.seconds for one in spent)
        cells.append(f"{share:.0%}")
    return f"| {' | '.join([*cells, apart])} |"


_LEGEND = """
Each run is a process of its own; the ways take turns, and figures are medians over the turns. The
*packages' loop* is `single_gpu_test` of mmdet, mmseg, mmcls or mmpose, unmodified: batches of one,
float32, the config's own loader processes, default threads, conversion to JSON at the end. *Ours*
is the task's `test.py` with no option but those named; `auto` is float32 on a CPU. Both have the
same rendered pictures of 1280x720 and the same seeded weights.

- **pictures/s**: from the start of the loop to the finished files. **× baseline** is the median of
  the ratios turn by turn.
- **× limit**: of the pictures/s that the machine could do at best. On a CPU that is its cores over
  the CPU seconds of decoding and of the forward pass, on a GPU the forward pass, each alone.
- **forward alone**: a picture in memory through the same model, in the same process.
- **memory**: the most that the main process had.
- **start-up**: from the command to the start of the loop.
- **loading … writing**: seconds of each stage over those of the run: waiting for the loader, the
  network, arrays to labels, files. Ours overlap, so that they may be more than 100 % together.
- **results**: how far ours are from the baseline's.
"""


def versions() -> str:
    """The packages that the figures depend on."""
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


def document(compared: Sequence[Compared], command: str, repeats: int) -> str:
    """``doc/BENCHMARKS.md``."""
    devices = {one.device for one in compared}
    if devices == {"cpu"}:
        where = "Nothing was run on a GPU: nothing is claimed for one."
    else:
        import torch

        where = f"GPU: {torch.cuda.get_device_name()}."
    images = ", ".join(sorted({str(one.images) for one in compared}))
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `{command}`: {repeats} turns over {images} pictures.",
            "",
            f"Machine: {about}. Versions: {versions()}. {where}",
            "",
            table(compared),
            _LEGEND,
        ]
    )


def save_json(compared: Sequence[Compared], path: Path) -> None:
    """All figures of all runs.

    Raises:
        UserError: it cannot be written.
    """
    models = [one.figures() for one in compared]
    write_json(path, {"machine": machine(), "versions": versions(), "models": models})
