"""Arguments that the scripts share, and how a user's mistake is told."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bdd100k_models import system
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from bdd100k_models.engine.ranks import Ranks

USER_ERROR = 2
INTERRUPTED = 130


def run(main: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Call ``main``; a :class:`UserError` becomes one line on stderr and exit status 2.

    ``stopped`` is what to say when the user interrupts it (Ctrl-C), or a scheduler does (SIGTERM).
    """
    try:
        with _terminable():
            return main() or 0
    except (UserError, KeyboardInterrupt) as error:
        return _tell(error, stopped)
    except BrokenPipeError:
        # Whoever read the output has left; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@contextmanager
def process_group(ranks: Ranks, stopped: str = "stopped") -> Iterator[None]:
    """Within, this process is one of ``ranks``, and afterwards leaves with all of them.

    Where the block raises, one of several ranks tells why and ends here and now: the interpreter's
    own way out would wait for GPUs, and they for peers that may be gone. ``stopped`` as for
    :func:`run`.
    """
    try:
        yield
        ranks.shutdown()
    except BaseException as error:
        if ranks.size == 1:
            raise
        status = _tell(error, stopped, ranks)
        sys.stdout.flush()
        sys.stderr.flush()
        ranks.shutdown(failed=True)
        os._exit(status)


def _tell(error: BaseException, stopped: str, ranks: Ranks | None = None) -> int:
    """One line on stderr for what ended the run; gives the exit status.

    Of several ranks only the first tells what all of them met alike, and none what another one has
    told already. Others hear that this one has told (see ``Ranks.first_to_tell``).
    """
    rank = os.environ.get("RANK", "0")
    if isinstance(error, KeyboardInterrupt):
        status, line = INTERRUPTED, stopped if rank == "0" else None
    elif isinstance(error, UserError):
        status, line = USER_ERROR, f"{'error' if rank == '0' else f'error (rank {rank})'}: {error}"
        if getattr(error, "told", False) or (rank != "0" and getattr(error, "shared", False)):
            line = None
    else:
        status, line = 1, "".join(traceback.format_exception(error)).rstrip()
    if line is not None:
        if ranks is not None:
            ranks.first_to_tell()
        print(line, file=sys.stderr, flush=True)
    return status


@contextmanager
def _terminable() -> Iterator[None]:
    """Within, SIGTERM is a :class:`KeyboardInterrupt`; for processes forked meanwhile, the end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread alone
        return
    owner = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        # Launchers stop the processes that load pictures, too; torch must not complain of that
        # in the middle of what follows.
        system.ignore_ended_children()
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


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
