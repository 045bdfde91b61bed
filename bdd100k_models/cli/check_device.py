"""``tools/check_device.py``: what to run first on a machine with a GPU."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli import arguments
from bdd100k_models.cli.demo import MODELS

#: Exit status when something differs, or failed.
DIFFERS = 1
_GROUPS = ("ops", "models", "training", "ranks")


def build_parser() -> arguments.Parser:
    """The arguments of the script."""
    parser = arguments.Parser(
        prog="check_device.py",
        description="Compare a GPU with the CPU: operations, a model of each task in each number "
        "format and compiled, training steps with a signal and a resume, two ranks.",
    )
    parser.add_argument("--device", default="cuda", metavar="cpu|cuda|cuda:N", help="default: cuda")
    parser.add_argument(
        "--only", nargs="+", choices=_GROUPS, default=list(_GROUPS), metavar="GROUP",
        help=f"groups of checks to run, of {', '.join(_GROUPS)} (default: all)",
    )  # fmt: skip
    names = [model.name for model in MODELS]
    parser.add_argument(
        "--models", nargs="+", choices=names, default=names, metavar="MODEL",
        help=f"mini models to run, of {', '.join(names)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there too")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks, print a line for each; 1 where something differs or failed.

    Raises:
        UserError: no such device, or the file of outcomes cannot be written.
    """
    args = build_parser().parse_args(argv)
    return arguments.run(lambda: _check(args))


def _check(args: argparse.Namespace) -> int:
    from bdd100k_models.benchmarks import device_check
    from bdd100k_models.files import write_json

    device_check.check_device(args.device)
    facts = device_check.surroundings(args.device)
    print(", ".join(f"{key} {value}" for key, value in facts.items()) + "\n", flush=True)
    outcomes = device_check.run_checks(
        args.device,
        args.only,
        args.models,
        report=lambda outcome: print(device_check.line(outcome), flush=True),
    )
    print("\n" + device_check.summary(outcomes, args.only, args.device))
    if args.json is not None:
        write_json(args.json, device_check.figures(outcomes, args.device))
    bad = any(outcome.status in ("differs", "failed") for outcome in outcomes)
    return DIFFERS if bad else 0
