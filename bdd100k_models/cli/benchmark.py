"""``tools/benchmark.py``: this package's parts beside the straightforward way."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import positive


def build_parser() -> argparse.ArgumentParser:
    """The arguments of the script: one subcommand for each part that can be measured."""
    parser = argparse.ArgumentParser(prog="benchmark.py", description=__doc__)
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
