"""One module per task. A task is looked up by name, or by the dataset type that a config names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import Task

#: Task name -> the dataset types that its configs name. The module is ``tasks/<name>.py`` and
#: holds a class ``TASK``.
DATASET_TYPES: dict[str, tuple[str, ...]] = {
    "tagging": ("BDD100KWeatherTaggingDataset", "BDD100KSceneTaggingDataset"),
    "det": ("BDD100KDetDataset",),
    "ins_seg": ("BDD100KInsSegDataset",),
    "sem_seg": ("BDD100KSemSegDataset",),
    "drivable": ("BDD100KDrivableDataset",),
    "pan_seg": ("BDD100KPanSegDataset",),
    "pose": ("TopDownBDD100KPoseDataset",),
}

TASK_NAMES: tuple[str, ...] = tuple(DATASET_TYPES)


def get_task(name: str) -> Task:
    """A new task object, its datasets registered with the OpenMMLab package it builds on.

    Raises:
        UserError: no such task.
    """
    if name not in DATASET_TYPES:
        raise UserError(f"no task {name!r}; the tasks are {', '.join(TASK_NAMES)}")
    task: Task = import_module(f"bdd100k_models.tasks.{name}").TASK()
    return task


def task_of(cfg: Config) -> Task:
    """The task that a config belongs to, told by the type of its test, val or train dataset.

    Raises:
        UserError: the config names no dataset type of the zoo.
    """
    name = _task_name(cfg)
    if name is None:
        known = ", ".join(t for types in DATASET_TYPES.values() for t in types)
        raise UserError(f"{cfg.filename}: data.test.type names no task of the zoo; known: {known}")
    task = get_task(name)
    task.bind(cfg)
    return task


def check_task(cfg: Config, name: str) -> None:
    """A config whose datasets are those of another task is not for the task ``name``.

    Raises:
        UserError: the task that it is for.
    """
    own = _task_name(cfg)
    if own not in (None, name):
        raise UserError(f"{cfg.filename} is a config for {own}, not for {name}; use {own}/test.py")


def _task_name(cfg: Config) -> str | None:
    data = cfg.get("data")
    if not isinstance(data, Mapping):
        return None
    for split in ("test", "val", "train"):
        for dataset_type in _dataset_types(data.get(split)):
            for name, types in DATASET_TYPES.items():
                if dataset_type in types:
                    return name
    return None


def _dataset_types(data: Any) -> list[str]:
    """Types named by a dataset config and the datasets that it wraps."""
    if isinstance(data, (list, tuple)):
        return [name for item in data for name in _dataset_types(item)]
    if not isinstance(data, Mapping):
        return []
    own = [data["type"]] if isinstance(data.get("type"), str) else []
    return own + _dataset_types(data.get("dataset")) + _dataset_types(data.get("datasets"))
