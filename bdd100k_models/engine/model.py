"""A network from a config, ready for inference: built, loaded, on its device."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models import weights
from bdd100k_models.config import registry_hint
from bdd100k_models.engine.devices import resolve_device
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import task_of
from bdd100k_models.tasks.zero_shot import OtherWeights, ZeroShot

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Task


def build_model(
    cfg: Config,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    *,
    report: Callable[[str], None] = print,
) -> nn.Module:
    """See :func:`bdd100k_models.build_model`; ``report`` takes notes on the checkpoint."""
    chosen_device = resolve_device(device)
    task = task_of(cfg)
    if checkpoint is None:
        model = build_network(task, cfg)
        model.CLASSES = name_classes(task, cfg, model, {}, report)  # type: ignore[assignment]
        return model.to(chosen_device).eval()
    given = None if checkpoint == "published" else checkpoint
    public = public_weights(cfg, given)
    path = weights.find_checkpoint(cfg, task.name, given, report)
    model, meta, public = load_network(task, cfg, path, public, report)
    if public is None:
        names = name_classes(task, cfg, model, meta, report)
    else:
        public = public.named_by(meta)
        report(public.line())
        names = public.classes.source
    model.CLASSES = names  # type: ignore[assignment]
    return model.to(chosen_device).eval()


def public_weights(cfg: Config, checkpoint: str | Path | None) -> ZeroShot | None:
    """Whose weights a run asks for in the place of the zoo's own; None where it does not.

    Raises:
        UserError: none are known that run the model.
    """
    if (checkpoint or cfg.get("load_from")) != weights.PUBLIC:
        return None
    return ZeroShot.of(weights.public_model(cfg))


def load_network(
    task: Task,
    cfg: Config,
    checkpoint: Path,
    public: ZeroShot | None,
    report: Callable[[str], None],
) -> tuple[nn.Module, dict[str, Any], ZeroShot | None]:
    """The network of a config with its weights, their ``meta``, and whose they are.

    With weights of others it has their class layer. A file of another code base that has other
    classes, or computes otherwise, is of others too.

    Raises:
        UserError: see :func:`build_network` and :func:`~bdd100k_models.weights.load_weights`.
    """
    content = weights.read_checkpoint(checkpoint)
    network = build_network(task, cfg if public is None else public.config(cfg))
    foreign = weights.translate(content["state_dict"], content["meta"], network.state_dict())
    if foreign is not None:
        if public is None:
            public = OtherWeights.of_file(task, cfg, checkpoint, foreign)
        else:
            public = replace(public, foreign=foreign)
        if public is not None:
            network = build_network(task, public.config(cfg))
    left_out = () if public is None else public.source.left_out
    meta = weights.load_weights(network, checkpoint, report, left_out=left_out, content=content)
    return network, meta, public


def build_network(task: Task, cfg: Config) -> nn.Module:
    """The freshly built network of a config, for one process and without pretrained weights.

    SyncBN becomes BN, and what would fetch pretrained backbones is left out: a checkpoint holds
    every weight.

    Raises:
        UserError: the package's builder refuses ``cfg.model``.
    """
    if "model" not in cfg:
        raise UserError(f"{cfg.filename} has no model")
    task.register()
    model_cfg = copy.deepcopy(cfg.model)
    without_pretrained(model_cfg)
    without_sync_bn(model_cfg)
    try:
        model = task.build_network(model_cfg)
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        raise UserError(
            f"{cfg.filename}: model cannot be built: {error}{registry_hint(error)}"
        ) from error
    return model


def name_classes(
    task: Task,
    cfg: Config,
    network: nn.Module,
    meta: Mapping[str, Any],
    report: Callable[[str], None],
) -> tuple[str, ...]:
    """What the network's classes are called: as its checkpoint says, else as the config.

    Raises:
        UserError: their number is not that of the network's head.
    """
    configured = task.class_names(cfg)
    names = task.told_classes(meta) or configured
    heads = task.head_classes(network)
    if heads is not None and heads != len(names):
        whose = "the checkpoint" if names is not configured else cfg.filename
        raise UserError(
            f"{whose} names {len(names)} classes ({', '.join(names)}), the network's head has "
            f"{heads}; set num_classes of the head, or classes of data.test, to fit the weights"
        )
    task.check_classes(names, cfg)
    strange = [name for name in names if name not in configured]
    if strange:
        report(
            f"note: the checkpoint was trained on classes that {task.name} has not: "
            f"{', '.join(strange)}; results bear these names"
        )
    return names


def without_pretrained(model_cfg: Any) -> None:
    """Remove, in place, every ``pretrained`` and every ``init_cfg`` with a ``checkpoint``."""
    if isinstance(model_cfg, Mapping):
        if model_cfg.get("pretrained") is not None:
            model_cfg["pretrained"] = None  # type: ignore[index]
        init = model_cfg.get("init_cfg")
        if isinstance(init, Mapping) and init.get("checkpoint") is not None:
            model_cfg["init_cfg"] = None  # type: ignore[index]
        for value in model_cfg.values():
            without_pretrained(value)
    elif isinstance(model_cfg, (list, tuple)):
        for value in model_cfg:
            without_pretrained(value)


def without_sync_bn(model_cfg: Any) -> None:
    """Replace, in place, SyncBN by BN: the same parameters, and no process group needed."""
    if isinstance(model_cfg, Mapping):
        if model_cfg.get("type") in ("SyncBN", "MMSyncBN"):
            model_cfg["type"] = "BN"  # type: ignore[index]
        for value in model_cfg.values():
            without_sync_bn(value)
    elif isinstance(model_cfg, (list, tuple)):
        for value in model_cfg:
            without_sync_bn(value)
