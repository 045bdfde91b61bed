"""Arguments that the scripts share, and how a user's mistake is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from bdd100k_models.errors import UserError

USER_ERROR = 2
INTERRUPTED = 130


def run(main: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Call ``main``; a :class:`UserError` becomes one line on stderr and exit status 2.

    ``stopped`` is what to say when the user interrupts it. Of several ranks only the first tells
    what all of them met alike.
    """
    try:
        return main() or 0
    except UserError as error:
        rank = os.environ.get("RANK", "0")
        if rank == "0" or not getattr(error, "shared", False):
            prefix = "error" if rank == "0" else f"error (rank {rank})"
            print(f"{prefix}: {error}", file=sys.stderr, flush=True)
        return USER_ERROR
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def add_config(parser: argparse.ArgumentParser) -> None:
    """CONFIG, ``--cfg-options`` and ``--data-root``."""
    parser.add_argument("config", metavar="CONFIG", help="config file, or a published name")
    parser.add_argument(
        "--cfg-options",
        "--options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override entries of the config, e.g. model.test_cfg.rcnn.score_thr=0.1",
    )
    parser.add_argument(
        "--data-root",
        metavar="DIR",
        help="folder that holds images/, labels/ and jsons/ "
        "(default: $BDD100K_DATA_ROOT, else data/bdd100k in the repository)",
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """``--launcher`` and the rank that ``torch.distributed.launch`` passes, in both spellings."""
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="who starts the processes of a distributed run",
    )
    parser.add_argument(
        "--local-rank", "--local_rank", type=int, default=None, help=argparse.SUPPRESS
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument(
        "--device", default="auto", metavar="cpu|cuda|cuda:N|auto", help="default: auto"
    )


def positive(text: str) -> int:
    """An argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value
