"""One picture of a model on a rehearsed GPU, by the path that ``test.py`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bdd100k_models.benchmarks.rehearsal import rehearsal
from bdd100k_models.benchmarks.waits import Waits
from bdd100k_models.data.mini.dataset import scene_of
from bdd100k_models.data.mini.rendering import render
from bdd100k_models.engine.devices import resolve_device
from bdd100k_models.engine.loading import Grouping, load, to_device
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.tasks import task_of
from bdd100k_models.tasks.base import ImageRecord, Prediction
from bdd100k_models.tasks.pose import PoseOptions
from bdd100k_models.tasks.pose_boxes import PersonBox
from bdd100k_models.visualization.pictures import save_picture
from bdd100k_models.weights.fitting import load_weights

if TYPE_CHECKING:
    from mmcv import Config

#: A mini model of each task, with weights beside it.
MINI_MODELS = tuple(
    REPOSITORY / "demo" / "models" / f"{name}_mini.py"
    for name in ("tagging_weather", "det", "ins_seg", "sem_seg", "drivable", "pan_seg", "pose")
)
_PERSON = PersonBox(500, 200, 120, 320, 0.9)


@dataclass(frozen=True)
class RehearsedPicture:
    """What one picture gave, and what made the host wait for it once the model was ready."""

    prediction: Prediction
    waits: Waits


@dataclass(frozen=True)
class PictureWaits:
    """What one picture makes the host wait for; ``seeded``: by a network without training."""

    waits: Waits
    seeded: bool


def rehearse_picture(
    cfg: Config,
    picture: Path,
    *,
    people: Sequence[PersonBox] = (),
    checkpoint: Path | None = None,
    precision: str = "fp32",
) -> RehearsedPicture:
    """Predict and convert a picture with a model on ``cuda``; without a checkpoint, a seeded one.

    ``people`` are the boxes for a pose estimator.

    Raises:
        UserError: the config, the checkpoint or the picture is not what it should be.
        RuntimeError, TypeError: what CUDA would refuse, in its words.
    """
    task = task_of(cfg)
    record = ImageRecord(0, picture.name, str(picture), tuple(people) or None)
    options = PoseOptions(source="annotations") if task.name == "pose" else None
    with rehearsal() as gpus, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(task, cfg)
        if checkpoint is not None:
            load_weights(network, Path(checkpoint), report=lambda _: None)
        device = resolve_device("cuda")
        predictor = Predictor.of_network(
            task, cfg, network, device, options=options, precision=precision
        )
        loaded = Grouping(predictor.pipeline)([load(record, predictor.pipeline)])
        if loaded.problems:
            raise UserError(loaded.problems[0].reason)
        (batch,) = loaded.pin_memory().batches
        gpus.waits.clear()
        with torch.inference_mode():
            (raw,) = predictor.forward(to_device(batch.data, device))
        prediction = predictor.converter(raw, record)
    return RehearsedPicture(prediction, gpus.waits)


def measure_waits(
    configs: Sequence[str | Path], folder: Path, checkpoint: Path | None = None
) -> dict[str, PictureWaits]:
    """Waits of one rendered picture of the data set's size, by name of the config.

    Args:
        configs: config files or published names.
        folder: takes the picture.
        checkpoint: weights of the only config; without them those that lie beside a config (the
            mini models have them), else seeded ones.

    Raises:
        UserError: no such config, or weights that do not belong to it.
    """
    from bdd100k_models.config import load_config

    picture = folder / "picture.png"
    save_picture(picture, render(scene_of("val", 0, seed=0)).rgb)
    found = {}
    for config in configs:
        cfg = load_config(config)
        beside = Path(cfg.filename).with_suffix(".pth")
        weights = checkpoint or (beside if beside.is_file() else None)
        waits = rehearse_picture(cfg, picture, people=[_PERSON], checkpoint=weights).waits
        found[Path(cfg.filename).stem] = PictureWaits(waits, seeded=weights is None)
    return found


def waits_table(found: dict[str, PictureWaits]) -> str:
    """For each model its sum, and a line for each kind and place, most frequent first."""
    lines = []
    for name, picture in found.items():
        waits = picture.waits
        weights = " (seeded weights: more boxes than a trained detector finds)"
        lines.append(
            f"{name}: {waits.total} waits a picture, {waits.uploads} uploads"
            f"{weights if picture.seeded else ''}"
        )
        lines += [
            f"{times:>5}  {kind:<17} {place}  {place.source}"
            for (kind, place), times in waits.ordered()
        ]
        lines.append("")
    return "\n".join(lines[:-1])
