"""``tools/benchmark.py``: this package's parts beside the straightforward way."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser, positive
from bdd100k_models.cli.test import PRECISIONS
from bdd100k_models.errors import UserError


def build_parser() -> Parser:
    """The arguments of the script: one subcommand for each part that can be measured."""
    parser = Parser(prog="benchmark.py", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    converters = parts.add_parser("converters", help="arrays to Scalabel labels")
    converters.add_argument(
        "--repeats", type=positive, default=20, help="pairs of runs (default: 20)"
    )
    converters.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    converters.set_defaults(run=run_converters)
    memory = parts.add_parser("memory", help="peak memory of det/test.py over many pictures")
    memory.add_argument(
        "--images",
        nargs="+",
        type=positive,
        default=[200, 1000, 2000],
        metavar="N",
        help="pictures of each run (default: 200 1000 2000)",
    )
    memory.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    memory.set_defaults(run=run_memory)
    run = parts.add_parser(
        "run", help="test.py beside the loop that the OpenMMLab packages themselves offer"
    )
    run.add_argument(
        "configs",
        nargs="*",
        metavar="CONFIG",
        help="config files or published names (default: a model of each task)",
    )
    run.add_argument(
        "--images", type=positive, default=8, metavar="N", help="rendered pictures (default: 8)"
    )
    run.add_argument(
        "--repeat", type=positive, default=5, metavar="N", help="turns of each way (default: 5)"
    )
    run.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["auto"],
        help="of ours, each beside the same baseline (default: auto)",
    )
    run.add_argument("--compile", action="store_true", help="ours with --compile")
    run.add_argument(
        "--ranks", type=positive, default=1, metavar="N", help="ours as N processes (default: 1)"
    )
    run.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")
    run.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    run.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write table and machine there too"
    )
    run.set_defaults(run=run_runs)
    waits = parts.add_parser(
        "waits", help="where the host waits for its GPU, picture by picture, on a rehearsed one"
    )
    waits.add_argument(
        "configs",
        nargs="*",
        metavar="CONFIG",
        help="config files or published names (default: the mini model of each task)",
    )
    waits.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="weights of the one CONFIG (default: those beside it, else seeded ones)",
    )
    waits.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    waits.set_defaults(run=run_waits)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the part that ``argv`` names, print a table, and write the figures where asked.

    Raises:
        UserError: the file of figures cannot be written.
    """
    args = build_parser().parse_args(argv)
    status: int = args.run(args)
    return status


def run_converters(args: argparse.Namespace) -> int:
    """``converters``: all comparisons of :mod:`bdd100k_models.benchmarks.converters`."""
    from bdd100k_models.benchmarks.converters import converter_comparisons
    from bdd100k_models.benchmarks.timing import machine, measure, table
    from bdd100k_models.files import write_json

    timings = [measure(comparison, args.repeats) for comparison in converter_comparisons()]
    print(table(timings))
    if args.json is not None:
        figures = [dataclasses.asdict(timing) for timing in timings]
        write_json(args.json, {"machine": machine(), "converters": figures})
    return 0


def run_memory(args: argparse.Namespace) -> int:
    """``memory``: :func:`bdd100k_models.benchmarks.memory.measure_memory`."""
    from bdd100k_models.benchmarks.memory import measure_memory, memory_table
    from bdd100k_models.benchmarks.timing import machine
    from bdd100k_models.files import write_json

    with tempfile.TemporaryDirectory() as folder:
        figures = measure_memory(args.images, Path(folder))
    print(memory_table(figures))
    if args.json is not None:
        rows = [dataclasses.asdict(figure) for figure in figures]
        write_json(args.json, {"machine": machine(), "memory": rows})
    return 0


def run_runs(args: argparse.Namespace) -> int:
    """``run``: :func:`bdd100k_models.benchmarks.run.compare` for each model.

    Raises:
        UserError: no such config, or a run failed.
    """
    from bdd100k_models.benchmarks.run import (
        MODELS,
        Variant,
        compare,
        document,
        render,
        save_json,
        table,
    )
    from bdd100k_models.files import write_bytes

    variants = [
        Variant(precision, args.compile, args.ranks, args.device)
        for precision in dict.fromkeys(args.precision)
    ]
    compared = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        render(data, args.images)
        for number, config in enumerate(args.configs or MODELS):
            own = Path(folder, str(number))
            own.mkdir()
            compared.append(compare(config, data, own, variants, args.repeat, _say))
    print(table(compared))
    if args.json is not None:
        save_json(compared, args.json)
    if args.markdown is not None:
        command = shlex.join(["python", "tools/benchmark.py", *sys.argv[1:]])
        write_bytes(args.markdown, document(compared, command, args.repeat).encode())
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_waits(args: argparse.Namespace) -> int:
    """``waits``: :func:`bdd100k_models.benchmarks.rehearsed_run.measure_waits`.

    Raises:
        UserError: ``--checkpoint`` without the one config that it is for.
    """
    from bdd100k_models.benchmarks.rehearsed_run import MINI_MODELS, measure_waits, waits_table
    from bdd100k_models.benchmarks.timing import machine
    from bdd100k_models.files import write_json

    if args.checkpoint is not None and len(args.configs) != 1:
        raise UserError("--checkpoint holds the weights of one CONFIG: name that one")
    with tempfile.TemporaryDirectory() as folder:
        found = measure_waits(args.configs or MINI_MODELS, Path(folder), args.checkpoint)
    print(waits_table(found))
    if args.json is not None:
        figures = [
            {"model": name, "seeded": picture.seeded, **picture.waits.figures()}
            for name, picture in found.items()
        ]
        write_json(args.json, {"machine": machine(), "waits": figures})
    return 0
