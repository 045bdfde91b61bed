"""Arguments that the scripts share, and how a user's mistake is told."""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from bdd100k_models import system
from bdd100k_models.cli import commands
from bdd100k_models.errors import UserError, nearest

if TYPE_CHECKING:
    from bdd100k_models.engine.ranks import Ranks

USER_ERROR = 2
INTERRUPTED = 130

#: The most that an argument may count: what Python can index with on any machine.
_MOST = 2**31 - 1


class Parser(argparse.ArgumentParser):
    """Arguments of a script; a mistake in them is one line, with the name that was meant."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["prog"] = commands.called or kwargs.get("prog")
        super().__init__(*args, **kwargs)
        self.register("type", float, _number)
        self.register("type", int, lambda text: _whole(text, -_MOST))

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """As the base class; an unknown option is told with the nearest one."""
        for text in sys.argv[1:] if args is None else args:
            if "\0" in text or text != _printable(text):
                self.error(
                    f"{_printable(text)!r} is not UTF-8 text, as names here must be; rename it"
                )
        found, strange = self.parse_known_args(args, namespace)
        options = [text for text in strange if text.startswith("-")]
        if options:
            name = options[0].partition("=")[0]
            hint = nearest(name, self._known_options(), otherwise="--help lists them")
            self.error(f"no option {name}; {hint}")
        if strange:
            self.error(f"what is {strange[0]!r} for? --help shows what can be given")
        return found

    def error(self, message: str) -> NoReturn:
        """One line on stderr, and the exit status of a user's mistake."""
        choice = re.fullmatch(r"(.+): invalid choice: (.+?) \(choose from (.+)\)", message, re.S)
        if choice is not None:
            name, given, listed = choice.groups()
            known = [item.strip("'\"") for item in listed.split(", ")]
            hint = nearest(given.strip("'\""), known)
            message = f"{name}: {given} is no choice; {hint}"
        told = os.environ.get("RANK", "0") == "0"  # all processes of a run get the same arguments
        self.exit(USER_ERROR, f"error: {message}\n" if told else None)

    def _known_options(self) -> list[str]:
        return [
            name
            for action in self._actions
            if action.help != argparse.SUPPRESS
            for name in action.option_strings
            if name.startswith("--")
        ]


def run(main: Callable[[], int | None], stopped: str = "stopped") -> int:
    """Call ``main``; a :class:`UserError` becomes one line on stderr and exit status 2.

    ``stopped`` is what to say when the user interrupts it (Ctrl-C), or a scheduler does (SIGTERM).
    """
    try:
        with _terminable():
            return main() or 0
    except (UserError, KeyboardInterrupt) as error:
        return _tell(error, stopped)
    except UnicodeEncodeError as error:
        name = _printable(error.object)
        return _tell(UserError(f"{name!r} is not UTF-8 text, as names here must be; rename it"), "")
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


def _printable(text: str) -> str:
    """The same with what stands for bytes that are not UTF-8 replaced."""
    return text.encode("utf-8", "backslashreplace").decode()


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
        print(commands.as_called(line), file=sys.stderr, flush=True)
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
    """An argument that counts something, from 1 on."""
    return _whole(text, 1)


def count(text: str) -> int:
    """An argument that counts something that there may be none of."""
    return _whole(text, 0)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"{text} is less than {least}")
    if value > _MOST:
        raise argparse.ArgumentTypeError(f"{text} is more than {_MOST}")
    return value
