"""Ranks as real processes: forked from a server that has imported what they need.

``run_ranks`` starts one process for each rank, as a launcher would, and gives what each of them
printed and how it ended. What the functions here do happens within such a process.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from mmcv.runner import HOOKS, Hook
from mmcv.runner.hooks.logger import text
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

import bdd100k_models.engine.training  # noqa: F401  (for the server, which forks it)
from bdd100k_models.cli import arguments, train
from bdd100k_models.engine import devices, parallel
from bdd100k_models.engine import ranks as ranks_module
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import get_task

get_task("tagging").register()


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``status`` is its exit status, or the negative number of a signal."""

    status: int
    out: str
    err: str
    seconds: float


#: As torchrun and srun tell a process who it is.
_RANK = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "SLURM_LOCALID")
_SIZE = ("WORLD_SIZE", "SLURM_NTASKS")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_ranks(
    work: Callable[..., int | None],
    *arguments: Any,
    folder: Path,
    size: int = 2,
    environment: dict[str, str] | None = None,
    only: tuple[int, ...] | None = None,
    timeout: float = 120,
) -> list[Ended]:
    """Call ``work(*arguments)`` in each of ``size`` ranks (or of those in ``only``)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    # The server imports this module, for which it looks where this process would.
    os.environ["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
        **(environment or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    chosen = range(size) if only is None else only
    processes = [
        context.Process(
            target=_begin,
            args=(
                work,
                arguments,
                {
                    **shared,
                    **{name: str(rank) for name in _RANK},
                    **{name: str(size) for name in _SIZE},
                    "SLURM_STEP_ID": "0",
                },
                str(folder / f"rank{rank}"),
            ),
        )
        for rank in chosen
    ]
    started = time.monotonic()
    for process in processes:
        process.start()
    ended: dict[int, float] = {}
    while len(ended) < len(processes) and time.monotonic() - started < timeout:
        for number, process in enumerate(processes):
            if number not in ended and process.exitcode is not None:
                ended[number] = time.monotonic()
        time.sleep(0.02)
    for process in processes:
        if process.exitcode is None:
            process.kill()
            process.join()
    first = min(ended.values(), default=started)
    return [
        Ended(
            status=process.exitcode if number in ended else 999,  # 999: it hung
            out=(folder / f"rank{rank}.out").read_text(),
            err=(folder / f"rank{rank}.err").read_text(),
            seconds=ended.get(number, time.monotonic()) - first,
        )
        for number, (rank, process) in enumerate(zip(chosen, processes, strict=True))
    ]


def _begin(
    work: Callable[..., int | None], arguments: Any, environment: dict[str, str], place: str
) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{place}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    # A forked process writes to whatever these were in the server.
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.update(environment)
    torch.set_num_threads(1)
    sys.exit(work(*arguments))


@HOOKS.register_module(force=True)
class SignallingHook(Hook):  # type: ignore[misc]
    """Sends a signal to some ranks at one moment of a run."""

    def __init__(self, number: int, moment: str, step: int, ranks: list[int]) -> None:
        self._number = number
        self._step = step
        self._ranks = ranks
        setattr(self, moment, self._send)

    def _send(self, runner: Any) -> None:
        if runner.iter == self._step and int(os.environ["RANK"]) in self._ranks:
            os.kill(os.getpid(), self._number)


class _HostMade(TorchFunctionMode):
    """Marks tensors that are made without saying on which device: on a GPU's host they are here."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in _device_constructors() and kwargs.get("device") is None:
            result.host_made = True
        return result


@contextlib.contextmanager
def nccl_pretended() -> Any:
    """Within, the default group takes what NCCL takes, and the host's group what gloo does.

    The default group refuses tensors that were made for the host, objects and barriers. Gives how
    often each group was used.
    """
    used = {"gpu": 0, "host": 0}
    originals = {}

    def check(name: str, group: Any, tensor: torch.Tensor | None) -> None:
        if group is not None and group is not dist.group.WORLD:
            used["host"] += 1
            return
        used["gpu"] += 1
        assert tensor is not None, f"{name} of the host through the GPUs' group"
        made_here = getattr(tensor, "host_made", False)
        assert not made_here, f"{name} of a CPU tensor through the GPUs' group: {tensor}"

    def guarded(name: str, with_tensor: bool) -> Callable[..., Any]:
        original = getattr(dist, name)
        originals[name] = original

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            tensor = args[0] if with_tensor and args else kwargs.get("tensor")
            check(name, kwargs.get("group"), tensor if with_tensor else None)
            return original(*args, **kwargs)

        return call

    for name in ("all_reduce", "broadcast", "reduce"):
        setattr(dist, name, guarded(name, True))
    for name in ("barrier", "all_gather_object", "broadcast_object_list"):
        setattr(dist, name, guarded(name, False))
    try:
        with _HostMade():
            yield used
    finally:
        for name, original in originals.items():
            setattr(dist, name, original)


def _log_memory_as_on_gpus() -> None:
    """mmcv's text logger as where there is a GPU, which the network's device stands for."""
    text.torch = SimpleNamespace(
        cuda=SimpleNamespace(is_available=lambda: True, max_memory_allocated=_memory),
        tensor=torch.tensor,
        int=torch.int,
    )
    make = parallel.TrainedNetwork.__init__

    def make_on_gpu(self: Any, network: Any, device: torch.device) -> None:
        make(self, network, device)
        assert self.output_device is None  # as the device is none of a GPU
        self.output_device = device
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.host_made = False  # as it is on the device now

    parallel.TrainedNetwork.__init__ = make_on_gpu  # type: ignore[method-assign]


def _memory(device: torch.device | None) -> int:
    assert device is not None, "memory of which GPU?"
    return 3 * 2**20


def train_with(argv: list[str]) -> int:
    """``tools/train.py`` as one of the ranks, on groups that stand for NCCL and gloo."""
    _log_memory_as_on_gpus()
    with nccl_pretended() as used:
        status = train.main([*argv, "--launcher", "pytorch"])
        print("collectives", used["gpu"], used["host"])
    return status


def meet(patience: float, launcher: str = "pytorch", device: str = "cpu") -> int:
    """Join, exchange what can be exchanged, and leave."""
    ranks_module.MEETING = datetime.timedelta(seconds=patience)
    return arguments.run(lambda: _meet(launcher, device))


def _meet(launcher: str, device: str) -> None:
    ranks = ranks_module.join(launcher, device, None)
    with arguments.process_group(ranks):
        print(ranks.gather((ranks.rank, ranks.local)))
        print(ranks.broadcast({"of": ranks.rank}))
        print([ranks.any(ranks.rank == number) for number in (0, ranks.size)])
        print(devices.cores(ranks) == max(1, devices.cores() // ranks.size))


def see_gpus(patience: float, gpus: dict[int, list[str]]) -> int:
    """Meet where rank ``r`` sees ``gpus[r]``; gloo stands for NCCL."""
    mine = gpus[int(os.environ["RANK"])]
    current: list[int] = []
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: len(mine)
    torch.cuda.set_device = lambda device: current.append(device.index)
    devices.gpu_identity = lambda device: mine[device.index]
    begin = dist.init_process_group

    def begin_on_cpu(backend: str, device_id: torch.device, **options: Any) -> None:
        assert backend == "cpu:gloo,cuda:nccl"
        print("bound to", device_id, "current", current)
        begin("gloo", **options)

    dist.init_process_group = begin_on_cpu
    return meet(patience, os.environ["LAUNCHER"], "auto")


def leave_behind(who: int, number: int, last: str) -> int:
    """Rank ``who`` ends without a word, or with one, while the others wait for it in ``last``."""
    return arguments.run(lambda: _leave_behind(who, number, last))


def _leave_behind(who: int, number: int, last: str) -> None:
    ranks = ranks_module.join("pytorch", "cpu", None)
    with arguments.process_group(ranks):
        if ranks.rank == who:
            if number:
                os.kill(os.getpid(), number)
            raise UserError("this disk is full")
        with ranks.together():
            {
                "gather": lambda: ranks.gather(1),
                "broadcast": lambda: [ranks.broadcast(1), ranks.barrier()],
                "barrier": ranks.barrier,
                "any": lambda: ranks.any(False),
                "shutdown": lambda: None,
            }[last]()
        if last != "shutdown":
            raise AssertionError("nobody was missed")
