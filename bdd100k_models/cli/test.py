"""``test.py`` of every task: run a model over images, write Scalabel JSON, score it."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bdd100k_models.cli import arguments
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config

    from bdd100k_models.engine.ranks import Ranks
    from bdd100k_models.engine.run import Places
    from bdd100k_models.tasks.base import Task

#: Exit status where all is written, but images failed.
INCOMPLETE = 3

PRECISIONS = ("auto", "fp32", "tf32", "fp16", "bf16")


_STOPPED = "stopped; images that are done are kept, --resume goes on with them"


def main(task_name: str, argv: Sequence[str] | None = None) -> int:
    """The whole of a task's ``test.py``; gives the exit status."""
    return arguments.run(
        lambda: _test(task_name, argv),
        _STOPPED,
    )


def make_parser(task: Task) -> arguments.Parser:
    """The arguments of a task's ``test.py``."""
    parser = arguments.Parser(
        prog="test.py",
        description=f"{task.facts.title}: run a model over images and write its results.",
    )
    arguments.add_config(parser)
    what = parser.add_argument_group("what to run on")
    what.add_argument(
        "--checkpoint",
        metavar="FILE|URL|public",
        help="weights (default: published ones); public: those of others, trained on other data, "
        "that fit the model",
    )
    what.add_argument("--split", choices=("val", "test"), default="val")
    what.add_argument(
        "--images",
        metavar="DIR|FILE|GLOB",
        help="videos of your own, each a folder of frames or a file; no annotations needed"
        if task.facts.videos
        else "pictures of your own; no annotations needed",
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
    run.add_argument(
        "--workers", type=arguments.count, metavar="N", help="processes that load pictures"
    )
    run.add_argument("--precision", choices=PRECISIONS, default="auto")
    run.add_argument(
        "--fuse-conv-bn",
        action="store_true",
        help="fold batch norm into convolutions (on a CPU that is done anyway)",
    )
    run.add_argument(
        "--compile", action="store_true", help="torch.compile the backbone (meant for GPUs)"
    )
    run.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    run.add_argument("--overwrite", action="store_true", help="drop an interrupted run's results")
    run.add_argument(
        "--strict", action="store_true", help="stop at the first image that fails (default: go on)"
    )
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

    from bdd100k_models.engine.ranks import join

    ranks = join(args.launcher, args.device, args.local_rank)
    with arguments.process_group(ranks, _STOPPED):
        return _predict_and_score(task, args, ranks)


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


def _predict_and_score(task: Task, args: argparse.Namespace, ranks: Ranks) -> int:
    from bdd100k_models import config, evaluation
    from bdd100k_models.engine.predictor import Predictor
    from bdd100k_models.engine.ranks import check_shared
    from bdd100k_models.engine.run import RunOptions, run, score
    from bdd100k_models.files import write_json
    from bdd100k_models.tasks import check_task
    from bdd100k_models.tasks.base import passed_over
    from bdd100k_models.tasks.zero_shot import ZeroShot
    from bdd100k_models.weights import PUBLIC, public_model

    root = config.data_root(args.data_root)
    with ranks.together():
        cfg = config.load_config(
            args.config, options=config.parse_options(args.cfg_options), data_root=args.data_root
        )
        check_task(cfg, task.name)
        if args.eval is not None and args.checkpoint == PUBLIC:
            ZeroShot.of(public_model(cfg)).check_scored()
        options = task.settle(
            task.options_from(args), cfg, split=args.split, images=args.images is not None
        )
        records = task.records(cfg, options, split=args.split, images=args.images)[: args.limit]
        others = passed_over(args.images) if args.images is not None and ranks.first else None
        if others is not None:
            print(f"note: {others}", file=sys.stderr)
        if args.eval is not None and ranks.first:
            truth = evaluation.ground_truth_path(task.name, root, args.split)
            evaluation.check_ground_truth(task.name, truth)
    places = _places(args, cfg, ranks)
    predictor = Predictor(
        cfg,
        args.checkpoint,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
        fuse_conv_bn=args.fuse_conv_bn,
        report=print if ranks.first else _say_nothing,
        ranks=ranks,
        task=task,
        settings=options,
    )
    if args.tmpdir and predictor.converter.mask_folder:
        # Masks are written by the rank that made them, everything else by the first.
        check_shared(places.out, ranks, "choose a --format-dir that all nodes share")
    outcome = run(
        predictor,
        records,
        ranks,
        places,
        RunOptions(
            batch_size=args.batch_size,
            workers=args.workers,
            min_score=args.show_score_thr,
            resume=args.resume,
            overwrite=args.overwrite,
            strict=args.strict,
        ),
    )
    status = INCOMPLETE if outcome.failed else 0
    if args.eval is not None:
        ranks.shutdown()
    if not ranks.first:
        return status
    for file in outcome.files:
        print(f"wrote {file}")
    if places.pictures is not None:
        print(f"{outcome.drawn} pictures are drawn in {places.pictures}")
    if args.eval is not None:
        scores = score(predictor, records, outcome, places.out, root, args.split, args.nproc)
        print(scores.table())
        scores.save(places.out / "scores.json")
        write_json(places.out / "summary.json", scores.summary)
        print(f"wrote {places.out / 'scores.json'} (per class) and {places.out / 'summary.json'}")
    _tell_failed(outcome.failed, len(records), places.out)
    return status


def _tell_failed(failed: Mapping[str, str], images: int, out: Path) -> None:
    """The last word, on images that have no result."""
    if len(failed) == images > 1:
        first = next(iter(failed.values()))
        print(
            f"error: all {images} images failed, the first: {first}; look at the config and at "
            f"{out / 'errors.json'}, which names all",
            file=sys.stderr,
        )
    elif failed:
        first = next(iter(failed.values()))
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        print(
            f"error: {first}{more}; it has no labels in what was written, {out / 'errors.json'} "
            "names all; --resume tries them again",
            file=sys.stderr,
        )


def _places(args: argparse.Namespace, cfg: Config, ranks: Ranks) -> Places:
    """Where the run writes; all ranks see its shards, and the first can write the rest.

    Raises:
        UserError: on every rank, where that is not so.
    """
    from bdd100k_models.engine.ranks import check_shared, check_writable
    from bdd100k_models.engine.run import Places

    out = Path(args.out or Path("work_dirs") / Path(cfg.filename).stem).expanduser().resolve()
    places = Places(
        out=out,
        shards=_shards(args, out, ranks),
        pictures=Path(args.show_dir).expanduser().resolve() if args.show_dir else None,
    )
    check_shared(places.shards.parent, ranks)
    check_writable(out, ranks)
    return places


def _shards(args: argparse.Namespace, out: Path, ranks: Ranks) -> Path:
    """The folder of shards; one below ``--tmpdir`` belongs to one output folder alone."""
    if not args.tmpdir:
        return out / ".shards"
    digest = hashlib.sha256(os.fspath(out).encode()).hexdigest()[:12]
    return Path(args.tmpdir).expanduser().resolve() / ranks.broadcast(f"{out.name}-{digest}.shards")


def _say_nothing(text: str) -> None:
    """For processes that leave the talking to the first."""
