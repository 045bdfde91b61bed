"""What a config says of training, looked at before anything is built or downloaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bdd100k_models import evaluation
from bdd100k_models.errors import UserError, nearest

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.tasks.base import Task

#: Whole numbers: key -> the least that makes sense.
_LEAST = {
    "data.samples_per_gpu": 1,
    "data.train_dataloader.samples_per_gpu": 1,
    "data.val_dataloader.samples_per_gpu": 1,
    "data.workers_per_gpu": 0,
    "data.train_dataloader.workers_per_gpu": 0,
    "runner.max_epochs": 1,
    "runner.max_iters": 1,
    "total_epochs": 1,
    "total_iters": 1,
    "evaluation.interval": 1,
    "evaluation.start": 0,
    "log_config.interval": 1,
    "auto_scale_lr.base_batch_size": 1,
}
#: Sections, by what stands in them.
_SECTIONS = (
    "data",
    "data.train",
    "model",
    "optimizer",
    "optimizer_config",
    "optimizer_config.grad_clip",
    "lr_config",
    "momentum_config",
    "runner",
    "evaluation",
    "checkpoint_config",
    "log_config",
    "fp16",
    "auto_scale_lr",
)
#: Those that training cannot do without.
_NEEDED = ("data", "data.train", "model", "optimizer")
#: Files to start from.
_FILES = ("load_from", "resume_from")


def check_settings(cfg: Config, task: Task) -> None:
    """Sections are there, counts are whole numbers that make sense, and scores have that name.

    Raises:
        UserError: the first setting that is wrong.
    """
    for key in _SECTIONS:
        value = _at(cfg, key)
        if value is None and key in _NEEDED:
            raise UserError(f"{cfg.filename} has no {key} to train with")
        lists = key == "data.train" and isinstance(value, list)
        if value is not None and not isinstance(value, Mapping) and not lists:
            raise _wrong(cfg, key, value, "settings, dict(…)")
    for key, least in _LEAST.items():
        value = _at(cfg, key)
        if value is not None and (type(value) is not int or value < least):
            raise _wrong(cfg, key, value, f"a whole number from {least} on")
    for key in _FILES:
        value = _at(cfg, key)
        if value is not None and not isinstance(value, str):
            raise _wrong(cfg, key, value, "the path of a checkpoint")
    _check_rates(cfg)
    _check_workflow(cfg)
    _check_best(cfg, task)


def _check_rates(cfg: Config) -> None:
    optimizer = cfg.optimizer
    several = {f"optimizer.{k}": v for k, v in optimizer.items() if isinstance(v, Mapping)}
    for place, settings in {"optimizer": optimizer, **several}.items():
        rate = settings.get("lr", 0.0)
        if type(rate) not in (int, float) or not math.isfinite(rate) or rate < 0:
            raise _wrong(cfg, f"{place}.lr", rate, "a learning rate, a number from 0 on")


def _check_workflow(cfg: Config) -> None:
    workflow = cfg.get("workflow") or [("train", 1)]
    parts = workflow if isinstance(workflow, (list, tuple)) else [workflow]
    for part in parts:
        if not isinstance(part, Sequence) or len(part) != 2 or part[0] not in ("train", "val"):
            raise _wrong(cfg, "workflow", workflow, "a list of ('train', N) and ('val', N)")
        if type(part[1]) is not int or part[1] < 1:
            raise _wrong(cfg, "workflow", workflow, "parts of 1 and more epochs or steps")
    if not any(part[0] == "train" for part in parts):
        raise _wrong(cfg, "workflow", workflow, "something to train: ('train', 1)")


def _check_best(cfg: Config, task: Task) -> None:
    best = (cfg.get("evaluation") or {}).get("save_best")
    known = evaluation.metric_names(task.name, task.classes)
    if known and best not in (None, "auto", *known):
        hint = nearest(best, ("auto", *known))
        raise UserError(
            f"{cfg.filename}: evaluation.save_best={best} is no score of {task.name}; {hint}"
        )


def _at(cfg: Config, key: str) -> Any:
    node: Any = cfg
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) or node is cfg else None
    return node


def _wrong(cfg: Config, key: str, value: Any, wanted: str) -> UserError:
    return UserError(f"{cfg.filename}: {key}={value!r} cannot be; give {wanted}")
