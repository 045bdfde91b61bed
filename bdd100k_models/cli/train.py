"""``tools/train.py``: train the model of a config."""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.cli import arguments
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.engine.ranks import Ranks
    from bdd100k_models.engine.training import TrainingOptions
    from bdd100k_models.engine.validation import Validation
    from bdd100k_models.tasks.base import Task


_STOPPED = "stopped; --resume goes on from the last checkpoint"


def main(argv: Sequence[str] | None = None) -> int:
    """The whole of ``tools/train.py``; gives the exit status."""
    return arguments.run(lambda: _train(argv), _STOPPED)


def make_parser() -> arguments.Parser:
    """The arguments of the script."""
    parser = arguments.Parser(
        prog="train.py", description="Train the model of a config, of any task."
    )
    arguments.add_config(parser)
    parser.add_argument(
        "--work-dir", metavar="DIR", help="checkpoints and logs (default: work_dirs/CONFIG)"
    )
    start = parser.add_argument_group("where to start")
    start.add_argument(
        "--resume",
        action="store_true",
        help="go on from the newest whole checkpoint in the work dir, if there is one",
    )
    start.add_argument(
        "--allow-changes",
        action="store_true",
        help="with --resume: go on with other settings than those of the checkpoint",
    )
    start.add_argument(
        "--overwrite", action="store_true", help="remove the checkpoints of an earlier run"
    )
    start.add_argument(
        "--no-pretrained",
        action="store_true",
        help="start from random weights where the config names a pretrained backbone",
    )
    run = parser.add_argument_group("how to run")
    arguments.add_device(run)  # type: ignore[arg-type]
    run.add_argument(
        "--seed", type=arguments.count, metavar="N", help="default: drawn, and printed"
    )
    run.add_argument(
        "--deterministic", action="store_true", help="only algorithms that repeat to the bit"
    )
    run.add_argument(
        "--limit-steps",
        type=arguments.positive,
        metavar="N",
        help="stop after step N with a checkpoint; the schedule stays that of the config",
    )
    run.add_argument(
        "--workers", type=arguments.count, metavar="N", help="processes that load pictures"
    )
    run.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate linearly with the images of a step",
    )
    run.add_argument(
        "--no-validate",
        action="store_true",
        help="no scores while training, and no best checkpoint",
    )
    arguments.add_launcher(run)  # type: ignore[arg-type]
    return parser


def _train(argv: Sequence[str] | None) -> int:
    args = make_parser().parse_args(argv)
    if args.resume and args.overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    if args.allow_changes and not args.resume:
        raise UserError("--allow-changes goes with --resume")

    from bdd100k_models import config
    from bdd100k_models.engine import training
    from bdd100k_models.engine.ranks import join
    from bdd100k_models.engine.settings import check_settings
    from bdd100k_models.tasks import task_of

    ranks = join(args.launcher, args.device, args.local_rank)
    with arguments.process_group(ranks, _STOPPED):
        with ranks.together():
            published = config.read_config(args.config)
            task = task_of(published)
            task.register()
            options = config.parse_options(args.cfg_options)
            cfg = config.load_config(args.config, options=options, data_root=args.data_root)
            check_settings(cfg, task)
            settings = _settings(args, cfg, published, ranks)
        _pretrained(cfg, args, ranks)
        validation = None
        if not args.no_validate:
            root = config.data_root(args.data_root)
            validation = _validation(task, cfg, root, settings, ranks)
        training.train(task, cfg, settings, ranks, validation)
    return 0


def _settings(
    args: argparse.Namespace, cfg: Config, published: Config, ranks: Ranks
) -> TrainingOptions:
    from bdd100k_models import config
    from bdd100k_models.engine.devices import resolve_device
    from bdd100k_models.engine.training import TrainingOptions, images_per_rank

    device = resolve_device(args.device, ranks)
    default = cfg.get("work_dir") or Path("work_dirs") / Path(cfg.filename).stem
    return TrainingOptions(
        work_dir=Path(args.work_dir or default).expanduser().resolve(),
        config_text=_portable_text(cfg, config.data_root(args.data_root)),
        published_images=images_per_rank(published),
        device=device,
        seed=args.seed,
        deterministic=args.deterministic,
        stop_after=args.limit_steps,
        workers=args.workers,
        resume=args.resume,
        overwrite=args.overwrite,
        scale_lr=args.auto_scale_lr,
        allow_changes=args.allow_changes,
    )


def _portable_text(cfg: Config, root: Path) -> str:
    """The config as others can use it: data where configs have it, no files to start from."""
    from bdd100k_models.config.text import standalone_text

    portable = copy.deepcopy(cfg)
    portable.load_from = portable.resume_from = None
    for key in list(portable):
        portable[key] = without_root(portable[key], os.fspath(root))
    return standalone_text(portable)


def without_root(value: Any, root: str) -> Any:
    """A nest of settings with paths at or below ``root`` as configs spell them."""
    if isinstance(value, str):
        if value == root or value.startswith(root.rstrip("/") + "/"):
            return "data/bdd100k" + value[len(root.rstrip("/")) :].rstrip("/")
        return value
    if isinstance(value, Mapping):
        return type(value)({key: without_root(item, root) for key, item in value.items()})  # type: ignore[call-arg]
    if isinstance(value, (list, tuple)):
        return type(value)(without_root(item, root) for item in value)
    return value


def _pretrained(cfg: Config, args: argparse.Namespace, ranks: Ranks) -> None:
    """Pretrained files of ``cfg`` become local ones, or nothing; a node's first process looks."""
    from bdd100k_models.engine.model import without_pretrained
    from bdd100k_models.weights import pretrained, public_start

    if args.no_pretrained or public_start(cfg) is not None:  # that has a backbone
        without_pretrained(cfg.model)
        return
    with ranks.together():
        if ranks.local == 0:
            pretrained.localize(cfg.model, report=print)
    with ranks.together():
        if ranks.local != 0:
            pretrained.localize(cfg.model, report=lambda text: None)


def _validation(
    task: Task, cfg: Config, root: Path, settings: TrainingOptions, ranks: Ranks
) -> Validation:
    """Scores on the way, by the task as ``test.py`` sets it up without options."""
    from bdd100k_models.engine.ranks import SharedError, check_shared
    from bdd100k_models.engine.validation import Validation

    folder = settings.work_dir / "validation"
    with ranks.together():
        validation = Validation.of(
            task, copy.deepcopy(cfg), root, folder, settings.device, ranks, settings.workers
        )
    if ranks.size > 1:
        try:
            check_shared(validation.folder, ranks)
        except SharedError as error:
            raise SharedError(
                f"the nodes do not share {settings.work_dir}, where the scores on the way are "
                "collected: choose a --work-dir that they share, or add --no-validate"
            ) from error
    return validation
