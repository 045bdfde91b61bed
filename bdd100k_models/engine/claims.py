"""Whether config and checkpoint of a model bear out what its entry in the catalogue says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models import weights
from bdd100k_models.config import load_config
from bdd100k_models.engine.cost import cost
from bdd100k_models.engine.model import build_network, load_network, name_classes
from bdd100k_models.engine.shapes import shapes_only
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.tasks import get_task, task_of

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.zoo.catalogue import PublishedModel

#: Epochs of the schedule that is called 1x.
_EPOCHS = 12
#: GPUs that the published models were trained on.
_GPUS = 8


def config_problems(model: PublishedModel, root: Path = REPOSITORY) -> list[str]:
    """What is wrong with the config of a model: it resolves and builds, and is what is told of it.

    Nothing is computed: the network is built of shapes alone.
    """
    assert model.config is not None
    try:
        cfg = load_config(root / model.config)
        task = task_of(cfg)
        if task.name != model.task:
            return [f"Config: {model.config} is one of {task.name}, not of {model.task}"]
        with shapes_only():
            network = build_network(task, cfg)
        names = name_classes(task, cfg, network, {}, lambda _: None)
        counted = cost(cfg)
    except UserError as error:
        return [f"Config: {error}"]
    found = []
    wanted = task.classes or task.facts.tags.get(model.tag or "", ())
    if names != wanted:
        found.append(
            f"Config: {model.config} has the classes {', '.join(names)}; those of "
            f"{model.tag or model.task} are {', '.join(wanted)}"
        )
    found += contradictions(model, cfg)
    if model.cost is not None and model.cost != counted:
        found.append(
            f"Cost: {model.cost.parameters} parameters and {model.cost.gflops:g} GFLOPs are told, "
            f"{counted.parameters} and {counted.gflops:g} counted; python tools/model_card.py "
            f"--costs {model.name} writes them"
        )
    return found


def contradictions(model: PublishedModel, cfg: Config) -> list[str]:
    """Columns of a model that say something else than its config."""
    return [
        f"Metadata: {column} is {model.columns[column]}, the config says {said}"
        for column, said in _statements(model, cfg)
        if column in model.columns and _plain(model.columns[column]) != _plain(said)
    ]


def _plain(text: str) -> str:
    return text.replace(" ", "").lower()


def _statements(model: PublishedModel, cfg: Config) -> Iterator[tuple[str, str]]:
    """What a config says in the words of the columns, as far as it can be told."""
    runner = cfg.get("runner") or {}
    if "max_epochs" in runner:
        yield "Lr schd", f"{runner['max_epochs'] / _EPOCHS:g}x"
    if "max_iters" in runner:
        yield "Iters", f"{runner['max_iters'] / 1000:g}K"
    samples = cfg.data.get("samples_per_gpu")
    if samples is not None:
        yield "Batch Size", str(samples * _GPUS)
    if "data_cfg" in cfg:
        width, height = cfg.data_cfg["image_size"]
        yield "Input Size", f"{height}x{width}"
    side = _training_size(cfg)
    if side is not None:
        yield "Input", f"{side[0]}x{side[1]}"
    proposals = (cfg.model.get("rpn_head") or {}).get("num_proposals")
    if proposals is not None:
        yield "Proposals", str(proposals)
    yield from _of_backbone(model.columns.get("Backbone", ""), cfg.model.get("backbone") or {})


def _training_size(cfg: Config) -> tuple[int, int] | None:
    """Height and width of what training crops out of a picture, where it does."""
    data = cfg.data.get("train")
    while isinstance(data, (list, tuple)) or (data is not None and "dataset" in data):
        data = data[0] if isinstance(data, (list, tuple)) else data["dataset"]
    for step in (data or {}).get("pipeline") or ():
        size = step.get("crop_size") or step.get("size")
        if step.get("type") in ("RandomCrop", "RandomResizedCrop") and size:
            both = (size, size) if isinstance(size, int) else tuple(size)
            return int(both[0]), int(both[-1])
    return None


def _of_backbone(told: str, backbone: Any) -> Iterator[tuple[str, str]]:
    """The column with the number in it that the backbone has: layers, or channels of HRNet."""
    number: int | None = backbone.get("depth")
    if backbone.get("type") == "HRNet":
        number = backbone["extra"]["stage2"]["num_channels"][0]
    if isinstance(number, int):
        yield "Backbone", re.sub(r"\d+", str(number), told, count=1)


def checkpoint_problems(
    model: PublishedModel, checkpoint: Path, root: Path = REPOSITORY
) -> list[str]:
    """What is wrong with the checkpoint of a model: it is the one told of, and fits strictly."""
    assert model.config is not None
    found = []
    try:
        digest = weights.md5(checkpoint)
        if model.md5 is not None and digest != model.md5:
            found.append(f"MD5: {model.md5} is told, {checkpoint} has {digest}")
        task, cfg = get_task(model.task), load_config(root / model.config)
        network, meta, others = load_network(task, cfg, checkpoint, None, lambda _: None)
        if others is not None:
            found.append(f"Weights: {checkpoint} is of others and has classes of its own")
        else:
            name_classes(task, cfg, network, meta, lambda _: None)
    except OSError as error:
        found.append(f"Weights: cannot read {checkpoint}: {error.strerror}")
    except UserError as error:
        found.append(f"Weights: {error}")
    return found
