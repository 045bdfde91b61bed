"""Who am I among the processes of a run: ranks, as each launcher tells them."""

from __future__ import annotations

import datetime
import json
import os
import re
import secrets
import socket
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed import distributed_c10d

from bdd100k_models.engine import devices
from bdd100k_models.engine.devices import Place
from bdd100k_models.errors import UserError
from bdd100k_models.files import hold
from bdd100k_models.system import interface_of

#: How long ranks wait for each other at the start.
MEETING = datetime.timedelta(minutes=2)
#: Ranks finish at different times and meet at the end, so that the host must be able to wait.
_PATIENCE = datetime.timedelta(days=2)
#: Ranks take each step together: what one waits for another there.
_STEP = datetime.timedelta(minutes=30)
#: What rank 0 gives the others to hear its verdict.
_GRACE = datetime.timedelta(seconds=5)
#: Seconds that a process which ends takes to close its connections, at most.
_LAST_BREATH = 0.3
#: Seconds that rank 0 stays where a run has failed.
_FAREWELL = 1.0

T = TypeVar("T")

#: Launcher -> environment variables of (rank, number of ranks, rank on this node), first one set.
_VARIABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "pytorch": (("RANK",), ("WORLD_SIZE",), ("LOCAL_RANK",)),
    "slurm": (("SLURM_PROCID",), ("SLURM_NTASKS",), ("SLURM_LOCALID",)),
    "mpi": (
        ("OMPI_COMM_WORLD_RANK", "PMI_RANK"),
        ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"),
        ("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"),
    ),
}

#: Launcher -> environment variables that name a run.
_NAMES = {
    "pytorch": ("TORCHELASTIC_RESTART_COUNT",),
    "slurm": ("SLURM_JOB_ID", "SLURM_STEP_ID"),
    "mpi": ("PMIX_NAMESPACE",),
}
_FIRST_PORT = 29500
_PORTS = 2000


class SharedError(UserError):
    """What every rank knows of, so that the first one alone has to tell it."""

    shared = True


class PeerLostError(UserError):
    """A process of this run is gone, and with it the run.

    Attributes:
        told: another process has told it already.
    """

    def __init__(self, *, told: bool) -> None:
        super().__init__(
            "another process of this run has ended before its time (killed, or with a problem that "
            "it told itself); --resume goes on from what is saved"
        )
        self.told = told


@dataclass(frozen=True)
class Group:
    """What processes that have met hold in common.

    Attributes:
        host: the gloo group of what the host says: objects, flags, barriers. It never waits for a
            GPU.
        store: keys and values that all see.
        places: where each rank runs.
    """

    host: dist.ProcessGroup
    store: dist.Store
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Ranks:
    """One process among ``size``; ``local`` is its place on its node, from 0.

    What it sends to the others goes through the CPU (:class:`Group`). Each of those methods raises
    :class:`PeerLostError` where a process is gone.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    group: Group | None = field(default=None, compare=False, repr=False)

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each rank runs; empty where there is no group."""
        return self.group.places if self.group is not None else ()

    def shard(self, items: Sequence[T]) -> list[T]:
        """This rank's part of ``items``: every item goes to exactly one rank."""
        return list(items[self.rank :: self.size])

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.any(False)  # torch's own barrier picks a GPU where there is one

    def gather(self, value: T) -> list[T]:
        """The value of every rank, on every rank, by rank; any that can be pickled."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with self._peers_there():
            dist.all_gather_object(values, value, group=self._host)
        return values

    def broadcast(self, value: T) -> T:
        """Rank 0's ``value``, on every rank; any that can be pickled."""
        if self.size == 1:
            return value
        box = [value]
        with self._peers_there():
            dist.broadcast_object_list(box, src=0, group=self._host)
        return box[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return self.any_later(flag)()

    def any_later(self, flag: bool) -> Callable[[], bool]:
        """As :meth:`any`, but only the call of what this gives waits for the other ranks."""
        if self.size == 1:
            return lambda: flag
        shared = torch.tensor(int(flag))
        with self._peers_there():
            work = dist.all_reduce(shared, dist.ReduceOp.MAX, group=self._host, async_op=True)

        def wait() -> bool:
            with self._peers_there():
                work.wait()
            return bool(shared.item())

        return wait

    def agree(self, problem: str | None) -> None:
        """Raise on every rank what any rank has to complain of.

        Raises:
            SharedError: the complaint of the lowest rank that has one.
        """
        for text in self.gather(problem):
            if text is not None:
                raise SharedError(text)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What all ranks do alike: a mistake that any of them meets ends it on all.

        Raises:
            SharedError: on every rank; the mistake of the lowest rank that met one.
        """
        problem = None
        try:
            yield
        except PeerLostError:
            raise
        except UserError as error:
            problem = str(error)
        self.agree(problem)

    def first_to_tell(self) -> bool:
        """Whether no other rank has told yet why the run ends; from now on this one has."""
        if self.group is None:
            return True
        try:
            with socket.create_connection(_address(), timeout=1):
                pass  # asked in vain, the store would fill the screen with C++ frames
            return bool(self.group.store.add("end told", 1) == 1)
        except (OSError, RuntimeError):  # the store is gone with the rank that held it
            return True

    def shutdown(self, failed: bool = False) -> None:
        """Leave the others: together with them, or, where the run has ``failed``, without.

        Then peers may be gone, so that no group is closed: they go with the process. Rank 0, which
        may hold the store, gives the others the moment they need to see who has told why.
        """
        if self.group is None or not dist.is_initialized():
            return
        if not failed:
            self.barrier()
            dist.destroy_process_group()
        elif self.first:
            time.sleep(_FAREWELL)

    @property
    def _host(self) -> dist.ProcessGroup | None:
        return self.group.host if self.group is not None else None

    def peer_lost(self) -> PeerLostError:
        """The error to raise where a process of this run is gone."""
        time.sleep(_LAST_BREATH)  # it may be about to close the store, too
        return PeerLostError(told=not self.first_to_tell())

    @contextmanager
    def _peers_there(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # what gloo makes of a closed connection
            raise self.peer_lost() from error


def is_lost_peer(error: RuntimeError) -> bool:
    """Whether that is what gloo or NCCL make of a process that is gone in the middle of a step."""
    text = str(error)
    return isinstance(error, dist.DistError) or "gloo" in text or "NCCL" in text


def read_ranks(launcher: str, environment: Mapping[str, str], local_rank: int | None) -> Ranks:
    """Ranks as the launcher's environment tells them; ``local_rank`` as an argument counts too.

    Raises:
        UserError: the launcher's variables are not there, or a launcher runs and is not named.
    """
    if launcher == "none":
        size = environment.get("WORLD_SIZE", "1")
        if size.isdigit() and int(size) > 1 and "RANK" in environment:
            raise UserError(
                f"started as one of {size} processes, but without --launcher: "
                "add --launcher pytorch, or every process does all the work"
            )
        return Ranks()
    values = []
    for names in _VARIABLES[launcher]:
        value = next((environment[name] for name in names if name in environment), None)
        values.append(value)
    rank, size_text, local = values
    if launcher == "slurm" and size_text not in (None, "1") and "SLURM_STEP_ID" not in environment:
        # A batch script of a job of many tasks: it is none of them.
        raise UserError(
            f"--launcher slurm: one of {size_text} tasks, but SLURM_STEP_ID is not set: start the "
            "command with srun"
        )
    if local is None:
        local = str(local_rank) if local_rank is not None else None
    if rank is None or size_text is None:
        missing = " and ".join(_VARIABLES[launcher][i][0] for i in (0, 1) if values[i] is None)
        starters = {"pytorch": "torchrun", "slurm": "srun", "mpi": "mpirun"}
        raise UserError(
            f"--launcher {launcher}, but {missing} is not set: "
            f"start the command with {starters[launcher]}"
        )
    try:
        ranks = Ranks(int(rank), int(size_text), int(local if local is not None else 0))
    except ValueError as error:
        raise UserError(f"--launcher {launcher}: ranks in the environment: {error}") from error
    if not 0 <= ranks.rank < ranks.size:
        raise UserError(f"--launcher {launcher}: rank {ranks.rank} of {ranks.size} processes")
    return ranks


def run_name(launcher: str, environment: Mapping[str, str]) -> str:
    """What tells a run from others of its machines, the same on all ranks; may be empty."""
    parts = [environment[name] for name in _NAMES[launcher] if name in environment]
    return ".".join(parts)


def default_port(name: str) -> int:
    """Where the ranks of the run ``name`` meet, so that two on one node seldom want one port.

    Below those that a system gives away itself.
    """
    return _FIRST_PORT + (zlib.crc32(name.encode()) % _PORTS if name else 0)


def join(launcher: str, device: str, local_rank: int | None) -> Ranks:
    """Take this process's place: rank, GPU, and process groups.

    GPUs speak through NCCL, the host through gloo. All ranks must come within ``MEETING``.

    Raises:
        UserError: see :func:`read_ranks`; the others cannot be reached or have not come; or, on
            every rank, the ``device`` of one of them is none, or is another's too.
    """
    ranks = read_ranks(launcher, os.environ, local_rank)
    if launcher == "none":
        return ranks
    os.environ["RANK"], os.environ["WORLD_SIZE"] = str(ranks.rank), str(ranks.size)
    os.environ["LOCAL_RANK"] = str(ranks.local)
    if launcher == "slurm":
        os.environ.setdefault("MASTER_ADDR", _first_slurm_node())
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    name = run_name(launcher, os.environ)
    os.environ.setdefault("MASTER_PORT", str(default_port(name)))
    if ranks.size == 1:
        return ranks
    store = _open_store(ranks, name)
    newcomer = _Newcomer(devices.own_place())
    chosen = torch.device("cpu")
    try:
        chosen = devices.resolve_device(device, ranks)
        if chosen.type == "cuda":
            newcomer = replace(newcomer, gpu=devices.gpu_identity(chosen))
    except (UserError, RuntimeError) as error:
        newcomer = replace(newcomer, problem=str(error).splitlines()[0])
    newcomers = _meet(ranks, store, replace(newcomer, address=own_address(_address()[0])))
    _choose_interface(ranks, newcomers)
    try:
        store.set_timeout(MEETING)
        if chosen.type == "cuda":
            dist.init_process_group(
                "cpu:gloo,cuda:nccl",
                store=store,
                rank=ranks.rank,
                world_size=ranks.size,
                timeout=MEETING,
                device_id=chosen,
            )
        else:
            dist.init_process_group(
                "gloo", store=store, rank=ranks.rank, world_size=ranks.size, timeout=MEETING
            )
        host = dist.new_group(backend="gloo", timeout=MEETING)
        assert isinstance(host, dist.ProcessGroup)  # this rank is in it
        # Now that all are connected, they may take longer for what they do.
        _set_timeout(_STEP, dist.group.WORLD)
        _set_timeout(_PATIENCE, host)
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"--launcher {launcher}: rank {ranks.rank} cannot connect to the others ({first}): "
            "a firewall may be between the nodes, or GLOO_SOCKET_IFNAME has to name the network "
            "interface by which they reach each other"
        ) from error
    places = tuple(newcomer.place for newcomer in newcomers)
    return replace(ranks, group=Group(host, store, places))


def _set_timeout(timeout: datetime.timedelta, group: Any) -> None:
    """Of what a group does from now on; under the name that this torch has for it."""
    change = getattr(dist, "set_timeout", None) or distributed_c10d._set_pg_timeout
    change(timeout, group)


@dataclass(frozen=True)
class _Newcomer:
    """What a rank says of itself when it comes."""

    place: Place
    address: str | None = None
    gpu: str | None = None
    problem: str | None = None

    @classmethod
    def read(cls, text: bytes) -> _Newcomer:
        """From JSON."""
        content = json.loads(text)
        place = content.pop("place")
        return cls(Place(**{**place, "affinity": tuple(place["affinity"])}), **content)


def _open_store(ranks: Ranks, name: str) -> dist.Store:
    """The store by which the ranks of the run ``name`` meet; torchrun holds it, else rank 0 does.

    Raises:
        UserError: its address cannot be reached, or its port is another program's.
    """
    address, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    held = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    holds = ranks.first and not held
    if holds:
        address = "127.0.0.1"  # its own, by whatever name the others reach it
    else:
        _wait_for_store(ranks.rank)
    try:
        store = dist.TCPStore(
            address, int(port), ranks.size, holds, timeout=MEETING, wait_for_workers=False
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(
            f"rank {ranks.rank} cannot use port {port} of {address}, which another program may "
            "have: set MASTER_PORT to a free one, the same for all ranks"
        ) from error
    # A restart by torchrun meets anew in the same store; a rank that strayed here from another run
    # is none of these.
    return dist.PrefixStore(f"bdd100k {name}", store)


def _address() -> tuple[str, int]:
    """Where the store is."""
    return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])


def _wait_for_store(rank: int) -> None:
    """Until somebody listens there; torch's own wait fills the screen with C++ frames."""
    end = time.monotonic() + MEETING.total_seconds()
    while True:
        try:
            with socket.create_connection(_address(), timeout=MEETING.total_seconds()):
                return
        except (OSError, ValueError, OverflowError) as error:
            if time.monotonic() > end or not isinstance(error, OSError):
                reason = getattr(error, "strerror", None) or error
                place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
                raise UserError(
                    f"rank {rank} did not reach rank 0 at {place} within "
                    f"{MEETING.total_seconds():g} s ({reason}): look whether rank 0 has started, "
                    "and set MASTER_ADDR and MASTER_PORT to its address"
                ) from error
        time.sleep(0.2)


def own_address(peer: str) -> str | None:
    """The IPv4 address of this machine by which it reaches ``peer``; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _choose_interface(ranks: Ranks, newcomers: Sequence[_Newcomer]) -> None:
    """Tell gloo the interface that leads to the other hosts.

    It takes the one that the host's name stands for, which on many systems is the loopback. What
    the user chose stays.
    """
    own = newcomers[ranks.rank]
    others = [peer.address for peer in newcomers if peer.place.host != own.place.host]
    if not others or "GLOO_SOCKET_IFNAME" in os.environ:
        return
    address = own.address
    if address is None or address.startswith("127."):  # the store is here: by which way out?
        away = [peer for peer in others if peer and not peer.startswith("127.")]
        address = own_address(away[0]) if away else None
    name = interface_of(address) if address else None
    if name is not None:
        os.environ["GLOO_SOCKET_IFNAME"] = name


def _meet(ranks: Ranks, store: dist.Store, newcomer: _Newcomer) -> tuple[_Newcomer, ...]:
    """Wait until all ranks have come; rank 0 counts them, and tells how it stands.

    Raises:
        UserError: who has not come.
        SharedError: on every rank; what one of them has to complain of, or that two share a GPU.
    """
    keys = [f"rank {rank}" for rank in range(ranks.size)]
    try:
        store.set(keys[ranks.rank], json.dumps(asdict(newcomer)))
        if ranks.first:
            store.set("verdict", _verdict(store, keys) or "")
        else:
            store.wait(["verdict"], MEETING + _GRACE)
        verdict = store.get("verdict").decode()
        if ranks.first:
            _linger(store, verdict, keys)
        elif verdict:
            store.add("verdict read", 1)
        if not verdict:
            return tuple(_Newcomer.read(store.get(key)) for key in keys)
    except RuntimeError as error:
        raise UserError(
            f"rank {ranks.rank} waited {(MEETING + _GRACE).total_seconds():g} s in vain for rank 0 "
            "to count the ranks: look what became of it"
        ) from error
    raise SharedError(verdict)


def _verdict(store: dist.Store, keys: list[str]) -> str | None:
    """Why the run cannot begin; None where all have come and none complains."""
    end = time.monotonic() + MEETING.total_seconds()
    while not store.check(keys):
        if time.monotonic() > end:
            missing = [key for key in keys if not store.check([key])]
            return (
                f"{', '.join(missing)} of {len(keys)} did not come within "
                f"{MEETING.total_seconds():g} s: look whether all processes have started, with the "
                "same MASTER_ADDR and MASTER_PORT"
            )
        time.sleep(0.05)
    newcomers = [_Newcomer.read(store.get(key)) for key in keys]
    users: dict[tuple[str, str], int] = {}
    for rank, newcomer in enumerate(newcomers):
        if newcomer.problem is not None:
            return str(newcomer.problem)
        if newcomer.gpu is not None:
            other = users.setdefault((newcomer.place.host, newcomer.gpu), rank)
            if other != rank:
                return (
                    f"ranks {other} and {rank} would share one GPU of {newcomer.place.host}: start "
                    "as many processes on a node as it has GPUs"
                )
    return None


def _linger(store: dist.Store, verdict: str, keys: list[str]) -> None:
    """Rank 0 may hold the store: where it leaves, it lets those who came read why."""
    end = time.monotonic() + _GRACE.total_seconds()
    others = sum(store.check([key]) for key in keys) - 1
    while verdict and store.add("verdict read", 0) < others and time.monotonic() < end:
        time.sleep(0.05)


def _first_slurm_node() -> str:
    """Where rank 0 is: a step may have fewer nodes than its job."""
    names = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST")
    return first_node(next((os.environ[name] for name in names if os.environ.get(name)), ""))


def first_node(nodes: str) -> str:
    """The first of a list of nodes as Slurm writes it: ``gpu[03-07,9],cpu1`` -> ``gpu03``.

    A container has no ``scontrol`` to ask. This host where the list is empty.
    """
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    assert first is not None  # it matches nothing, too
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", first[0]) or "127.0.0.1"


def check_writable(folder: Path, ranks: Ranks) -> None:
    """Rank 0 can write files into ``folder``, which is made where it is missing.

    Raises:
        UserError: on every rank, when it cannot.
    """
    problem = None
    if ranks.first:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            problem = f"cannot write to {folder}: {error.strerror}; choose another folder"
    ranks.agree(problem)


@contextmanager
def hold_for_all(path: Path, busy: str, ranks: Ranks) -> Iterator[None]:
    """Within, these ranks hold the lock ``path``, by their first one, and no other run does.

    Raises:
        SharedError: on every rank; ``busy``, or there can be no lock (see ``files.hold``).
    """
    with ExitStack() as held:
        with ranks.together():
            if ranks.first:
                held.enter_context(hold(path, busy))
        yield


def check_shared(
    folder: Path,
    ranks: Ranks,
    way_out: str = "pass --tmpdir DIR with a folder that all nodes share",
) -> None:
    """Every rank sees ``folder``: rank 0 leaves a token there that all others must read.

    Raises:
        UserError: on every rank, when one of them does not.
    """
    token = ranks.broadcast(secrets.token_hex(8))
    proof = folder / f".seen-{token}"
    check_writable(folder, ranks)
    if ranks.first:
        proof.write_text(token)
    ranks.barrier()
    problem = None
    if not proof.is_file():
        problem = f"rank {ranks.rank} does not see {folder}, where results are collected; {way_out}"
    try:
        ranks.agree(problem)
    finally:
        if ranks.first:
            proof.unlink(missing_ok=True)
