"""The published models, and which of them stand for an architecture; shared by test folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "data" / "reference"
TASKS = ("tagging", "det", "ins_seg", "sem_seg", "drivable", "pan_seg", "pose")


class Published(NamedTuple):
    """A published model: its task, and its place below the task's ``configs/`` (no suffix)."""

    task: str
    key: str

    @property
    def name(self) -> str:
        return self.key.rsplit("/", 1)[-1]

    @property
    def path(self) -> Path:
        return ROOT / self.task / "configs" / f"{self.key}.py"


def read_reference(name: str) -> Any:
    return json.loads((REFERENCE / name).read_text(encoding="utf-8"))


def published_models() -> list[Published]:
    """The 258 models of the catalogue that come with an OpenMMLab config."""
    return [
        Published(record["task"], record["config"])
        for record in read_reference("catalogue.json")
        if record["task"] in TASKS and record.get("framework") != "vis4d"
    ]


def one_per_architecture() -> set[Published]:
    """For each combination of modules the published model with the fewest parameters' names."""
    sizes = read_reference("state_dicts.json")
    smallest: dict[frozenset[str], tuple[int, Published]] = {}
    for task in TASKS:
        reference = read_reference(f"hyperparameters/{task}.json")
        for key, own in reference["configs"].items():
            model = Published(task, key)
            found = (sizes[task][model.name]["keys"], model)
            modules = frozenset(module_types({**reference["common"], **own}["model"]))
            smallest[modules] = min(found, smallest.get(modules, found))
    return {model for _, model in smallest.values()}


def module_types(cfg: Any) -> Iterator[str]:
    """``type`` of every module of a model config; losses and what only training uses aside."""
    if isinstance(cfg, list):
        for item in cfg:
            yield from module_types(item)
    elif isinstance(cfg, dict):
        if isinstance(cfg.get("type"), str):
            yield cfg["type"]
        for key, value in cfg.items():
            if key not in ("train_cfg", "test_cfg", "init_cfg") and not key.startswith("loss"):
                yield from module_types(value)
