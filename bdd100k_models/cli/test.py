"""``test.py`` of every task: run a model over images, write Scalabel JSON, score it."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.cli import arguments
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from bdd100k_models.engine.ranks import Ranks
    from bdd100k_models.tasks.base import ImageRecord, Task


_STOPPED = "stopped; images that are done are kept, --resume goes on with them"


def main(task_name: str, argv: Sequence[str] | None = None) -> int:
    """The whole of a task's ``test.py``; gives the exit status."""
    return arguments.run(
        lambda: _test(task_name, argv),
        _STOPPED,
    )


def make_parser(task: Task) -> argparse.ArgumentParser:
    """The arguments of a task's ``test.py``."""
    parser = argparse.ArgumentParser(
        prog="test.py", description=f"{task.title}: run a model over images and write its results."
    )
    arguments.add_config(parser)
    what = parser.add_argument_group("what to run on")
    what.add_argument("--checkpoint", metavar="FILE|URL", help="weights (default: published ones)")
    what.add_argument("--split", choices=("val", "test"), default="val")
    what.add_argument(
        "--images", metavar="DIR|FILE|GLOB", help="pictures of your own; no annotations needed"
    )
    what.add_argument("--limit", type=arguments.positive, metavar="N", help="only the first N")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format-dir", "--out", dest="out", metavar="DIR", help="default: work_dirs/CONFIG"
    )
    output.add_argument("--format-only", action="store_true", help="no scores (the default)")
    output.add_argument(
        "--eval",
        nargs="*",
        metavar="METRIC",
        help="score the results by the official evaluator (all of its metrics, whatever is named)",
    )
    output.add_argument("--show-dir", metavar="DIR", help="draw the results into pictures")
    output.add_argument("--show-score-thr", type=float, default=0.3, help="default: 0.3")
    run = parser.add_argument_group("how to run")
    arguments.add_device(run)  # type: ignore[arg-type]
    run.add_argument("--batch-size", type=arguments.positive, default=1, metavar="N")
    run.add_argument("--workers", type=int, metavar="N", help="processes that load pictures")
    run.add_argument("--precision", choices=("auto", "fp32", "fp16", "bf16"), default="auto")
    run.add_argument("--fuse-conv-bn", action="store_true", help="fold batch norm into convolution")
    run.add_argument("--compile", action="store_true", help="torch.compile the backbone")
    run.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    run.add_argument("--overwrite", action="store_true", help="drop an interrupted run's results")
    run.add_argument(
        "--tmpdir", metavar="DIR", help="folder for results under way, seen by all nodes"
    )
    run.add_argument("--nproc", type=arguments.positive, metavar="N", help="processes that score")
    run.add_argument("--gpu-collect", "--gpu_collect", action="store_true", help=argparse.SUPPRESS)
    arguments.add_launcher(run)  # type: ignore[arg-type]
    task.add_arguments(parser)
    return parser


def _test(task_name: str, argv: Sequence[str] | None) -> int:
    from bdd100k_models.tasks import get_task

    task = get_task(task_name)
    args = make_parser(task).parse_args(argv)
    check(args)

    from bdd100k_models.config import load_config
    from bdd100k_models.engine.ranks import join
    from bdd100k_models.tasks import check_task

    task.register()
    ranks = join(args.launcher, args.device, args.local_rank)
    with arguments.process_group(ranks, _STOPPED):
        with ranks.together():
            options = arguments.parse_options(args.cfg_options)
            cfg = load_config(args.config, options=options, data_root=args.data_root)
            check_task(cfg, task.name)
            task.bind(cfg)
            task.configure(args, cfg)
            records = task.records(cfg, split=args.split, images=args.images)[: args.limit]
        _predict_and_score(task, args, cfg, records, ranks)
    return 0


def check(args: argparse.Namespace) -> None:
    """Combinations that cannot work are told before anything is computed.

    Raises:
        UserError: the combination, and what to do.
    """
    if args.eval is not None and args.images is not None:
        raise UserError("--eval needs ground truth, which --images has none of")
    if args.eval is not None and args.split == "test":
        raise UserError(
            "--eval: the labels of the test split are not public; run without it and send what "
            "tools/pack_submission.py makes to the evaluation server"
        )
    if args.resume and args.overwrite:
        raise UserError("--resume and --overwrite exclude each other")


def _predict_and_score(
    task: Task,
    args: argparse.Namespace,
    cfg: object,
    records: list[ImageRecord],
    ranks: Ranks,
) -> None:
    from mmcv import Config

    from bdd100k_models import config, evaluation
    from bdd100k_models.engine import inference
    from bdd100k_models.engine.compilation import compile_backbone
    from bdd100k_models.engine.devices import resolve_device
    from bdd100k_models.engine.loading import build_pipeline, share_cores
    from bdd100k_models.engine.model import build_model
    from bdd100k_models.engine.precision import apply_precision
    from bdd100k_models.engine.ranks import check_shared, check_writable

    assert isinstance(cfg, Config)
    root = config.data_root(args.data_root)
    if args.eval is not None:
        evaluation.ground_truth_path(task.name, root, args.split)
    out = Path(args.out or Path("work_dirs") / Path(cfg.filename).stem).resolve()
    places = inference.Places(
        out=out,
        shards=_shards(args, out, ranks),
        pictures=Path(args.show_dir).resolve() if args.show_dir else None,
    )
    check_shared(places.shards.parent, ranks)
    check_writable(out, ranks)
    if args.tmpdir and task.mask_folder():
        # Masks are written by the rank that made them, everything else by the first.
        check_shared(out, ranks, "choose a --format-dir that all nodes share")
    inference.check_pictures(task, records, places, ranks)
    device = resolve_device(args.device, ranks)
    pipeline = build_pipeline(task, cfg)
    checkpoint = _checkpoint(task, args, cfg, ranks)
    identity = inference.run_identity(
        task, cfg, checkpoint[1], records, args.precision, fused=args.fuse_conv_bn
    )
    with ranks.together():
        report = print if ranks.first else _say_nothing
        model = build_model(cfg, checkpoint[0], str(device), task=task, report=report)
    if args.fuse_conv_bn:
        from mmcv.cnn import fuse_conv_bn

        model = fuse_conv_bn(model)
    if args.compile:
        compile_backbone(model, device)
    options = inference.LoopOptions(
        batch_size=args.batch_size,
        workers=_workers(args, cfg, ranks),
        min_score=args.show_score_thr,
    )
    apply_precision(model, cfg, args.precision, device)
    share_cores(device, ranks, options.workers)
    with inference.only_run(places, ranks):
        inference.prepare_shards(
            places, identity, ranks, resume=args.resume, overwrite=args.overwrite
        )
        files = inference.run(task, model, records, pipeline, ranks, places, options)
    if not ranks.first:
        return
    for file in files:
        print(f"wrote {file}")
    if places.pictures is not None:
        print(f"drew {len(records)} pictures in {places.pictures}")
    if args.eval is not None:
        _score(task, args, out, root, records)


def _score(
    task: Task, args: argparse.Namespace, out: Path, root: Path, records: list[ImageRecord]
) -> None:
    """Official scores of what a run wrote: a table, and two files."""
    from bdd100k_models.files import write_json

    names = [record.name for record in records] if args.limit else None
    nproc = args.nproc or min(4, os.cpu_count() or 1)
    scores = task.evaluate(out, root, args.split, names, nproc)
    print(scores.table())
    scores.save(out / "scores.json")
    write_json(out / "summary.json", scores.summary)
    print(f"wrote {out / 'scores.json'} (per class) and {out / 'summary.json'}")


def _shards(args: argparse.Namespace, out: Path, ranks: Ranks) -> Path:
    """The folder of shards; one below ``--tmpdir`` belongs to one output folder alone."""
    if not args.tmpdir:
        return out / ".shards"
    digest = hashlib.sha256(os.fspath(out).encode()).hexdigest()[:12]
    return Path(args.tmpdir).expanduser().resolve() / ranks.broadcast(f"{out.name}-{digest}.shards")


def _checkpoint(
    task: Task, args: argparse.Namespace, cfg: object, ranks: Ranks
) -> tuple[Path, str]:
    """The checkpoint file and its MD5; one process of a node looks first, and downloads."""
    from mmcv import Config

    from bdd100k_models.weights import store as checkpoint

    assert isinstance(cfg, Config)

    def find(report: bool) -> Path:
        say = print if report else _say_nothing
        return checkpoint.find_checkpoint(cfg, task.name, args.checkpoint, report=say)

    path = None
    with ranks.together():
        if ranks.local == 0:
            path = find(report=ranks.first)
    if path is None:
        path = find(report=False)
    return path, checkpoint.md5(path)


def _say_nothing(text: str) -> None:
    """For processes that leave the talking to the first."""


def _workers(args: argparse.Namespace, cfg: object, ranks: Ranks) -> int:
    from mmcv import Config

    assert isinstance(cfg, Config)
    if args.workers is not None:
        return max(0, args.workers)
    wanted = (cfg.get("data") or {}).get("workers_per_gpu", 2)
    return max(1, min(wanted, (os.cpu_count() or 1) // (2 * ranks.size)))
