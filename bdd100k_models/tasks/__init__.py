"""One module per task. A task is looked up by name, or by the dataset type that a config names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import UserError, nearest
from bdd100k_models.zoo.tasks import TASKS, of_dataset_type

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import Task

#: The module of a task is ``tasks/<name>.py`` and holds a class ``TASK``.
TASK_NAMES: tuple[str, ...] = tuple(TASKS)


def get_task(name: str) -> Task:
    """The task of a name.

    Raises:
        UserError: no such task.
    """
    if name not in TASK_NAMES:
        raise UserError(f"no task {name!r}; {nearest(name, TASK_NAMES)}")
    task: Task = import_module(f"bdd100k_models.tasks.{name}").TASK()
    return task


def task_of(cfg: Config) -> Task:
    """The task that a config belongs to, told by the type of its test, val or train dataset.

    Raises:
        UserError: the config names no dataset type of the zoo.
    """
    name = _task_name(cfg)
    if name is None:
        known = ", ".join(kind for task in TASK_NAMES for kind in TASKS[task].dataset_types)
        raise UserError(f"{cfg.filename}: data.test.type names no task of the zoo; known: {known}")
    return get_task(name)


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
            facts = of_dataset_type(dataset_type)
            if facts is not None:
                return facts.name
    return None


def _dataset_types(data: Any) -> list[str]:
    """Types named by a dataset config and the datasets that it wraps."""
    if isinstance(data, (list, tuple)):
        return [name for item in data for name in _dataset_types(item)]
    if not isinstance(data, Mapping):
        return []
    own = [data["type"]] if isinstance(data.get("type"), str) else []
    return own + _dataset_types(data.get("dataset")) + _dataset_types(data.get("datasets"))
