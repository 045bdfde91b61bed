"""Which keys a place in a config knows, beyond those that stand there."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bdd100k_models.errors import nearest
from bdd100k_models.zoo import tasks

if TYPE_CHECKING:
    from mmcv import Config
    from mmcv.utils import Registry

#: Place -> what is read from it. ``*`` stands for any one part.
_PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": (
            "auto_scale_lr",
            "checkpoint_config",
            "cudnn_benchmark",
            "custom_hooks",
            "custom_imports",
            "data",
            "dist_params",
            "evaluation",
            "find_unused_parameters",
            "fp16",
            "gpu_ids",
            "load_from",
            "log_config",
            "log_level",
            "lr_config",
            "model",
            "momentum_config",
            "mp_start_method",
            "opencv_num_threads",
            "optimizer",
            "optimizer_config",
            "resume_from",
            "runner",
            "seed",
            "tf32",
            "total_epochs",
            "total_iters",
            "work_dir",
            "workflow",
        ),
        "data": (
            "persistent_workers",
            "samples_per_gpu",
            "test",
            "test_dataloader",
            "train",
            "train_dataloader",
            "val",
            "val_dataloader",
            "workers_per_gpu",
        ),
        "data.*_dataloader": ("persistent_workers", "samples_per_gpu", "workers_per_gpu"),
        "evaluation": ("by_epoch", "interval", "metric", "rule", "save_best", "start"),
        "fp16": (
            "backoff_factor",
            "enabled",
            "growth_factor",
            "growth_interval",
            "init_scale",
            "loss_scale",
        ),
        "log_config": ("hooks", "interval"),
        "dist_params": ("backend",),
        "optimizer": ("constructor", "paramwise_cfg"),
        "optimizer.paramwise_cfg": (
            "bias_decay_mult",
            "bias_lr_mult",
            "bypass_duplicate",
            "custom_keys",
            "dcn_offset_lr_mult",
            "dwconv_decay_mult",
            "norm_decay_mult",
        ),
        "optimizer.paramwise_cfg.custom_keys.*": ("decay_mult", "lr_mult"),
        "optimizer_config": ("grad_clip", "type"),
        "lr_config": ("policy",),
        "momentum_config": ("policy",),
    }
)

#: What the heads of the packages read from ``test_cfg``; none of them declares it.
_TEST_KEYS = (
    "crop_size",
    "flip_test",
    "mask_thr_binary",
    "max_per_img",
    "min_bbox_size",
    "mode",
    "modulate_kernel",
    "nms",
    "nms_pre",
    "post_process",
    "score_thr",
    "shift_heatmap",
    "stride",
    "use_udp",
)
#: What ``batched_nms`` reads beside the arguments of the function that ``nms.type`` names.
_NMS_KEYS = ("class_agnostic", "max_num", "split_thr")
#: Frozen layers of a norm, which no norm's constructor takes.
_NORM_KEYS = ("requires_grad",)

#: Package -> the dataset that those of the zoo build on, where they are not registered.
_DATASETS = MappingProxyType(
    {
        "mmcls": "CustomDataset",
        "mmdet": "CocoDataset",
        "mmseg": "CustomDataset",
        "mmpose": "TopDownCocoDataset",
    }
)


def known_keys(
    cfg: Config, place: Sequence[str], node: Mapping[str, Any], kind: str | None = None
) -> set[str] | None:
    """The keys that a dict in a config may have.

    Args:
        cfg: the config.
        place: the parts of the dict's own key.
        node: the dict.
        kind: its ``type``, where that is not the one that stands there.

    Returns:
        Keys, those of ``node`` included; None where any key may be right: in an empty dict that
        nothing is known of, or one of an unknown type.
    """
    known = {key for pattern, keys in _PLACES.items() if _matches(place, pattern) for key in keys}
    if place and place[-1] == "custom_keys":
        return None
    if "test_cfg" in place:
        known.update(_TEST_KEYS)
    name = kind or node.get("type") or _default_type(place, node)
    if isinstance(name, str):
        arguments = _arguments(cfg, name, place[-1] if place else "")
        if arguments is None:
            return None
        known |= arguments
    if not known and not node:
        return None
    return known | {str(key) for key in node}


def _matches(place: Sequence[str], pattern: str) -> bool:
    wanted = pattern.split(".") if pattern else []
    return len(place) == len(wanted) and all(
        re.fullmatch(part.replace("*", ".*"), own) for part, own in zip(wanted, place, strict=True)
    )


def _default_type(place: Sequence[str], node: Mapping[str, Any]) -> str | None:
    """The type that stands for a section of a training config without saying so."""
    match list(place):
        case ["lr_config"]:
            policy = str(node.get("policy", ""))
            return policy[:1].upper() + policy[1:] + "LrUpdaterHook" if policy else None
        case ["checkpoint_config"]:
            return "CheckpointHook"
        case ["optimizer_config"]:
            return "OptimizerHook"
        case ["runner"]:
            return "EpochBasedRunner"
    return None


def _arguments(cfg: Config, name: str, key: str) -> set[str] | None:
    """The arguments of everything registered as ``name``; None where nothing is."""
    package = _package(cfg)
    entries = [registry.get(name) for registry in _registries(package)]
    found: list[Any] = [entry for entry in entries if entry is not None]
    extra: set[str] = set()
    if key.endswith("nms"):
        # Named like the function that mmcv.ops has in its place, so it cannot be imported plainly.
        function = getattr(importlib.import_module("mmcv.ops.nms"), name, None)
        found += [] if function is None else [function]
        extra.update(_NMS_KEYS)
    if key.endswith("norm_cfg"):
        extra.update(_NORM_KEYS)
    if not found and package is not None and tasks.of_dataset_type(name) is not None:
        return _arguments(cfg, _DATASETS[package], key)
    if not found:
        return None
    return {"type", *extra, *(argument for entry in found for argument in _parameters(entry))}


def _parameters(entry: Any) -> Iterator[str]:
    """Names of the arguments of a function, or of a class and of the bases it passes them on to."""
    for function in _constructors(entry) if inspect.isclass(entry) else [entry]:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # built in
            return
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        yield from (p.name for p in parameters if p.kind in named and p.name != "self")
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            return


def _constructors(entry: type) -> Iterator[Any]:
    for base in entry.__mro__:
        if "__init__" in vars(base):
            yield vars(base)["__init__"]


def _package(cfg: Config) -> str | None:
    """The OpenMMLab package whose task a config is for, told by its datasets."""
    data = cfg.get("data")
    for split in ("test", "val", "train") if isinstance(data, Mapping) else ():
        node = data.get(split)
        while isinstance(node, Mapping):
            facts = tasks.of_dataset_type(str(node.get("type")))
            if facts is not None:
                return facts.package
            node = node.get("dataset")
    return None


def _registries(package: str | None) -> list[Registry]:
    """All registries of mmcv and of a package, which is imported for it."""
    from mmcv.utils import Registry

    for room in ("core", "datasets", "models") if package else ():
        importlib.import_module(f"{package}.{room}")
    found: dict[int, Registry] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("mmcv", package):
            for value in list(vars(module).values()):
                if isinstance(value, Registry):
                    found[id(value)] = value
    return list(found.values())


def registry_hint(error: BaseException) -> str:
    """``; did you mean 'ResNet'?`` for mmcv's error over an unknown type, else nothing.

    The packages must be imported, as they are where that error comes from.
    """
    match = re.search(r"([\w.]+) is not in the (.+?) registry", str(error))
    if match is None:
        return ""
    names = {
        key
        for package in _DATASETS
        if package in sys.modules
        for registry in _registries(package)
        if registry.name == match.group(2)
        for key in registry.module_dict
    }
    hint = nearest(match.group(1), sorted(names), otherwise="")
    return f"; {hint}" if hint else ""
