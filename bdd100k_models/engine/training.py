"""Training through mmcv's runner and hooks, in one process or in many, on GPUs or on the CPU."""

from __future__ import annotations

import copy
import logging
import os
import random
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models import __version__, weights
from bdd100k_models.config import registry_hint
from bdd100k_models.engine import devices, optimization, resuming
from bdd100k_models.engine.hooks import EvaluationHook, FiniteLossHook, SeedHook
from bdd100k_models.engine.model import without_sync_bn
from bdd100k_models.engine.parallel import TrainedNetwork
from bdd100k_models.engine.ranks import Ranks, hold_for_all, is_lost_peer
from bdd100k_models.engine.runners import EpochRunner, StepRunner, StopTrainingError, new_meta
from bdd100k_models.engine.sampling import TrainingLoader, make_training_loader, seed_everything
from bdd100k_models.engine.training_convolutions import speed_up_training
from bdd100k_models.engine.validation import Validation
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn

    from bdd100k_models.tasks.base import Task


@dataclass(frozen=True)
class TrainingOptions:
    """How a run goes, beside what its config says.

    Attributes:
        work_dir: folder of checkpoints and logs.
        config_text: the config, as checkpoints carry it: no path of this machine.
        published_images: images per GPU of the config before any override.
        device: where the network is.
        seed: what all random numbers follow from; None draws one.
        deterministic: only algorithms that give the same bits each time.
        stop_after: stop after this step, with a checkpoint; the schedule stays the config's.
        workers: loader processes; None for as many as the config says and the cores allow.
        resume: go on from the newest whole checkpoint in ``work_dir``.
        overwrite: remove checkpoints of an earlier run.
        scale_lr: scale the learning rate linearly with the batch.
        allow_changes: go on with other settings than those of the checkpoint.
    """

    work_dir: Path
    config_text: str
    published_images: int
    device: torch.device
    seed: int | None = None
    deterministic: bool = False
    stop_after: int | None = None
    workers: int | None = None
    resume: bool = False
    overwrite: bool = False
    scale_lr: bool = False
    allow_changes: bool = False


def train(
    task: Task,
    cfg: Config,
    options: TrainingOptions,
    ranks: Ranks,
    validation: Validation | None = None,
) -> None:
    """Train the model of ``cfg`` to the end of its schedule, or to ``options.stop_after``.

    Pretrained files that the config names must be local ones by now; ``cfg`` is changed in place.

    Raises:
        UserError: data, model, optimizer or schedule do not fit; the loss is no number.
        KeyboardInterrupt: interrupted; a checkpoint of the last whole step is written.
    """
    busy = f"another run trains in {options.work_dir} now; choose another --work-dir"
    with hold_for_all(options.work_dir / ".train.lock", busy, ranks):
        _train(task, cfg, options, ranks, validation)


def _train(
    task: Task,
    cfg: Config,
    options: TrainingOptions,
    ranks: Ranks,
    validation: Validation | None,
) -> None:
    resumed = resuming.choose(
        cfg, options.work_dir, ranks, resume=options.resume, overwrite=options.overwrite
    )
    seed = _seed(options, resumed, ranks)
    quiet_packages()
    with ranks.together():
        runner, loaders = _prepare(task, cfg, options, ranks, seed, resumed, validation)
    if ranks.size > 1:
        runner.model.distribute(find_unused_parameters=_find_unused(cfg, runner.model.module))
    if resumed is None:
        with ranks.together():
            if ranks.first:
                resuming.make_room(options.work_dir)
    _run(runner, loaders, cfg)


def _prepare(
    task: Task,
    cfg: Config,
    options: TrainingOptions,
    ranks: Ranks,
    seed: int,
    resumed: tuple[Path, dict[str, Any]] | None,
    validation: Validation | None,
) -> tuple[Any, list[Any]]:
    """Runner and loaders of this rank, complete: what can be wrong about them is told by now."""
    workers = _workers(cfg, options, ranks)
    _set_up_torch(cfg, options, ranks, workers)
    logger, stamp = _logger(options.work_dir, ranks)
    seed_everything(seed)
    batch = images_per_rank(cfg)
    sizes = optimization.batch_size(cfg, options.published_images, batch, ranks.size)
    logger.info(optimization.set_learning_rate(cfg, sizes, scale=options.scale_lr))
    network: Any = build_network(task, cfg, ranks, options.device)
    loaders = _loaders(task, cfg, options, ranks, seed, batch, workers)
    first = loaders[0].dataset.dataset
    network.CLASSES = tuple(getattr(first, "CLASSES", None) or task.classes)
    meta = _meta(task, cfg, options, seed, network.CLASSES, sizes.actual, loaders[0])
    changed = _changes(resumed, meta, options, logger)
    _check_classes(task, cfg, network)
    if resumed is None and cfg.get("load_from"):
        _load_from(task, cfg, network, logger)
    if options.device.type == "cpu":
        speed_up_training(network)
    hook = optimization.optimizer_hook(cfg, options.device, distributed=ranks.size > 1)
    if cfg.get("fp16") is not None and options.device.type == "cpu":
        logger.info("fp16 of the config is for GPUs: this run computes in float32")
    runner: Any = _runner(cfg)(
        model=TrainedNetwork(network, options.device),
        optimizer=optimization.build_optimizer(network, cfg.optimizer),
        work_dir=os.fspath(options.work_dir),
        logger=logger,
        meta=meta,
        **_length(cfg),
    )
    runner.ranks, runner.stop_after, runner.timestamp = ranks, options.stop_after, stamp
    _register_hooks(runner, cfg, hook, seed, ranks, validation)
    if resumed is not None:
        resuming.take_up(runner, *resumed, changed, logger.info)
        logger.info("going on from %s, step %d", resumed[0], runner.iter)
    logger.info(
        "%d pictures, %d steps an epoch of %d images, seed %d",
        len(first),
        loaders[0].sampler.steps,
        sizes.actual,
        seed,
    )
    return runner, loaders


def _load_from(task: Task, cfg: Config, network: nn.Module, logger: logging.Logger) -> None:
    """Weights to start from; what does not fit, such as a head for other classes, begins anew."""
    model = weights.public_start(cfg)
    if model is None:
        path = weights.find_checkpoint(cfg, task.name, report=logger.info)
        weights.start_from(network, path, logger.info, task=task.name)
        return
    path = weights.find_public(model, logger.info)
    assert model.public is not None  # or nothing would have been found
    weights.start_from_public(network, path, model.public, task.name, logger.info)


def _check_classes(task: Task, cfg: Config, network: Any) -> None:
    heads = task.head_classes(network)
    if heads is not None and heads != len(network.CLASSES):
        raise UserError(
            f"{cfg.filename}: the head tells {heads} classes apart, data.train has "
            f"{len(network.CLASSES)}; set num_classes of the head, or classes of data.train"
        )


def _changes(
    resumed: tuple[Path, dict[str, Any]] | None,
    meta: Mapping[str, Any],
    options: TrainingOptions,
    logger: logging.Logger,
) -> list[resuming.Change]:
    """What is other than when the checkpoint to go on from was written; logged where allowed.

    Raises:
        UserError: something is, and that was not asked for.
    """
    if resumed is None:
        return []
    path, content = resumed
    then = content.get("meta")
    found = resuming.changes(then, meta) if isinstance(then, Mapping) else []
    told = resuming.describe(found)
    if found and not options.allow_changes:
        raise UserError(
            f"{path} is not of this run: {told}; repeat its command, or add --allow-changes to go "
            "on with the settings of now"
        )
    if found:
        logger.info("going on with changes: %s", told)
    return found


def quiet_packages() -> None:
    """Warnings only from the OpenMMLab packages, which list every parameter by name else."""
    from mmcv.utils import get_logger

    for name in ("mmcv", *optimization.PACKAGES):
        get_logger(name, log_level=logging.WARNING)


def images_per_rank(cfg: Config) -> int:
    """Images of one step and rank, as each package's configs spell it.

    Raises:
        UserError: the config does not say, or says what is no number of images.
    """
    data = cfg.get("data") or {}
    images = (data.get("train_dataloader") or {}).get(
        "samples_per_gpu", data.get("samples_per_gpu")
    )
    if type(images) is not int or images < 1:
        raise UserError(f"{cfg.filename} has no data.samples_per_gpu to train with")
    return images


def build_network(task: Task, cfg: Config, ranks: Ranks, device: torch.device) -> nn.Module:
    """The network of ``cfg.model`` with its initial or pretrained weights.

    SyncBN becomes BN where there is nothing to synchronise with, and on CPUs, where it is not.

    Raises:
        UserError: the package's builder refuses ``cfg.model``.
    """
    from mmcv.runner import BaseModule

    model_cfg = copy.deepcopy(cfg.model)
    if ranks.size == 1 or device.type == "cpu":
        without_sync_bn(model_cfg)
    try:
        network = task.build_network(model_cfg)
        if isinstance(network, BaseModule):  # others initialise themselves when they are built
            network.init_weights()
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        raise UserError(
            f"{cfg.filename}: model cannot be built: {error}{registry_hint(error)}"
        ) from error
    return network


def build_dataset(task: Task, cfg: Config, data_cfg: Mapping[str, Any]) -> Any:
    """A training dataset that is there and not empty.

    Raises:
        UserError: files are missing, unreadable or not in COCO's form, or nothing is left to train
            on.
    """
    way_out = (
        "pass --data-root or set BDD100K_DATA_ROOT to the folder that holds images/, labels/ and "
        "jsons/; tools/prepare_data.py makes jsons/"
    )
    try:
        dataset = task.build_dataset(copy.deepcopy(data_cfg))
    except UserError as error:
        while isinstance(error.__context__, UserError):  # mmcv puts the name of a class before it
            error = error.__context__
        raise error from None
    except (FileNotFoundError, NotADirectoryError) as error:
        # MMDetection and MMSegmentation raise it anew, with the path inside the text.
        path = error.filename or (re.findall(r"'([^']+)'", str(error)) or [error])[-1]
        raise UserError(f"no training data for {task.name}: no {path}; {way_out}") from error
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        raise UserError(
            f"{cfg.filename}: data.train cannot be built: {error}{registry_hint(error)}"
        ) from error
    if len(dataset) == 0:
        raise UserError(f"no training data for {task.name}: data.train is empty; {way_out}")
    return dataset


def _seed(
    options: TrainingOptions, resumed: tuple[Path, dict[str, Any]] | None, ranks: Ranks
) -> int:
    """Asked for, else that of the run to go on with, else drawn on rank 0."""
    if options.seed is not None:
        return options.seed
    kept = resumed[1]["meta"].get("seed") if resumed is not None else None
    if type(kept) is not int or not 0 <= kept < 2**31:
        kept = random.SystemRandom().randrange(2**31)
    return ranks.broadcast(kept)


def _workers(cfg: Config, options: TrainingOptions, ranks: Ranks) -> int:
    """Loader processes of this rank."""
    if options.workers is not None:
        return options.workers
    settings = {**cfg.data, **(cfg.data.get("train_dataloader") or {})}
    return devices.loader_workers(settings.get("workers_per_gpu", 2), ranks, options.device)


def _set_up_torch(cfg: Config, options: TrainingOptions, ranks: Ranks, workers: int) -> None:
    devices.use_cores(options.device, ranks, workers)
    if "tf32" in cfg:
        devices.set_matmul_precision(tf32=bool(cfg.tf32))
    torch.backends.cudnn.benchmark = bool(cfg.get("cudnn_benchmark")) and not options.deterministic
    if options.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)


def _logger(work_dir: Path, ranks: Ranks) -> tuple[logging.Logger, str]:
    """Screen and ``STAMP.log`` on rank 0; problems only on the others."""
    logger = logging.getLogger("bdd100k_models.training")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = False
    logger.setLevel(logging.INFO if ranks.first else logging.ERROR)
    stamp = time.strftime("%Y%m%d_%H%M%S")
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if ranks.first:
        try:
            work_dir.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(work_dir / f"{stamp}.log"))
        except OSError as error:
            raise UserError(f"cannot write to {work_dir}: {error.strerror}") from error
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    return logger, stamp


def _loaders(
    task: Task,
    cfg: Config,
    options: TrainingOptions,
    ranks: Ranks,
    seed: int,
    batch: int,
    workers: int,
) -> list[Any]:
    """One loader for each part of the workflow; ``("val", n)`` gives losses on the val set."""
    data = cfg.data
    settings = {**data, **(data.get("train_dataloader") or {})}
    loaders = []
    for mode, _ in cfg.get("workflow") or [("train", 1)]:
        data_cfg = data.train
        if mode == "val":
            data_cfg = {**data.val, "pipeline": data.train.pipeline}
            data_cfg.pop("test_mode", None)  # or it would come without labels
        loaders.append(
            make_training_loader(
                build_dataset(task, cfg, data_cfg),
                batch=batch,
                workers=workers,
                ranks=ranks,
                seed=seed,
                endless=_runner(cfg) is StepRunner,
                pin_memory=options.device.type == "cuda",
                persistent_workers=settings.get("persistent_workers", True),
            )
        )
    return loaders


def _find_unused(cfg: Config, network: nn.Module) -> bool:
    """As the config says; MMPose takes it for granted, the other packages do not."""
    return bool(cfg.get("find_unused_parameters", optimization.package_of(network) == "mmpose"))


def _runner(cfg: Config) -> type[EpochRunner] | type[StepRunner]:
    kinds: dict[str, type[EpochRunner] | type[StepRunner]] = {
        "EpochBasedRunner": EpochRunner,
        "IterBasedRunner": StepRunner,
    }
    given = cfg.get("runner") or {}
    kind = given.get("type") or ("IterBasedRunner" if "total_iters" in cfg else "EpochBasedRunner")
    if kind not in kinds:
        raise UserError(f"{cfg.filename}: runner {kind} is not supported; use {' or '.join(kinds)}")
    return kinds[kind]


def _length(cfg: Config) -> dict[str, int]:
    """``max_epochs`` or ``max_iters`` of the schedule."""
    key, old = (
        ("max_iters", "total_iters")
        if _runner(cfg) is StepRunner
        else ("max_epochs", "total_epochs")
    )
    value = (cfg.get("runner") or {}).get(key, cfg.get(old))
    if value is None:
        raise UserError(f"{cfg.filename} does not say how long to train: set runner.{key}")
    return {key: int(value)}


def _meta(
    task: Task,
    cfg: Config,
    options: TrainingOptions,
    seed: int,
    classes: Sequence[str],
    batch: int,
    loader: TrainingLoader,
) -> dict[str, Any]:
    """What checkpoints say of themselves."""
    return {
        **new_meta(),
        "bdd100k_models_version": __version__,
        "task": task.name,
        "exp_name": Path(cfg.filename).name,
        "config": options.config_text,
        "seed": seed,
        "batch": batch,
        "scaled_lr": options.scale_lr,
        "pictures": loader.fingerprint(),
        "CLASSES": list(classes),
    }


def _register_hooks(
    runner: Any,
    cfg: Config,
    optimizer_config: dict[str, Any],
    seed: int,
    ranks: Ranks,
    validation: Validation | None,
) -> None:
    runner.register_hook(SeedHook(seed, ranks.rank), priority="HIGHEST")
    half = optimizer_config["type"] == "Fp16OptimizerHook"
    runner.register_hook(FiniteLossHook(half_precision=half), priority="HIGHEST")
    by_epoch = isinstance(runner, EpochRunner)
    checkpoint_config = copy.deepcopy(cfg.get("checkpoint_config"))
    if checkpoint_config is not None:
        checkpoint_config.setdefault("by_epoch", by_epoch)
    try:
        runner.register_training_hooks(
            copy.deepcopy(cfg.get("lr_config")),
            optimizer_config,
            checkpoint_config,
            _log_config(cfg),
            copy.deepcopy(cfg.get("momentum_config")),
            custom_hooks_config=copy.deepcopy(cfg.get("custom_hooks")),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise UserError(
            f"{cfg.filename}: hooks cannot be built: {error}{registry_hint(error)}"
        ) from error
    if validation is not None:
        settings = cfg.get("evaluation") or {}
        best = settings.get("save_best", "auto")
        runner.register_hook(
            EvaluationHook(
                validation.scores,
                ranks,
                interval=settings.get("interval", 1),
                by_epoch=settings.get("by_epoch", by_epoch),
                start=settings.get("start") or 0,
                save_best=validation.task.headline[0] if best == "auto" else best,
                images=len(validation.records),
            ),
            priority="LOW",
        )


def _log_config(cfg: Config) -> dict[str, Any]:
    """The config's log, with TensorBoard's beside it."""
    log = copy.deepcopy(dict(cfg.get("log_config") or {"interval": 50, "hooks": []}))
    kinds = [hook["type"] for hook in log["hooks"]]
    for kind in ("TextLoggerHook", "TensorboardLoggerHook"):
        if kind not in kinds:
            log["hooks"].append({"type": kind})
    return log


def _run(runner: Any, loaders: list[Any], cfg: Config) -> None:
    workflow = [tuple(flow) for flow in cfg.get("workflow") or [("train", 1)]]
    try:
        with runner.listening():
            runner.run(loaders, workflow)
    except StopTrainingError:
        runner.call_hook("after_run")
    except torch.cuda.OutOfMemoryError as error:
        raise UserError(
            f"out of GPU memory at step {runner.iter + 1}; lower data.samples_per_gpu, or the "
            "size of pictures"
        ) from error
    except RuntimeError as error:
        if is_lost_peer(error):
            raise runner.ranks.peer_lost() from error
        raise _failed(runner, error) from error
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as e:
        raise _failed(runner, e) from e
    runner.logger.info("trained to step %d; all files are in %s", runner.iter, runner.work_dir)


def _failed(runner: Any, error: Exception) -> UserError:
    """What network or hooks tripped over, in one line; the log file has where."""
    files = [h for h in runner.logger.handlers if isinstance(h, logging.FileHandler)]
    text = "".join(traceback.format_exception(error))
    for file in files:
        file.emit(runner.logger.makeRecord("", logging.ERROR, "", 0, text, (), None))
    reason = (str(error).strip() or repr(error)).splitlines()[0]
    seen = f"; {files[0].baseFilename} says where" if files else ""
    return UserError(
        f"step {runner.iter + 1} failed ({type(error).__name__}: {reason}){seen}; look at model, "
        "hooks and data of the config"
    )
