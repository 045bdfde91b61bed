"""Who am I among the processes of a run: ranks, as each launcher tells them."""

from __future__ import annotations

import datetime
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from bdd100k_models.errors import UserError

#: Ranks finish at different times and meet at the end, so the meeting must be able to wait.
_PATIENCE = datetime.timedelta(days=2)

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


class SharedError(UserError):
    """What every rank knows of, so that the first one alone has to tell it."""

    shared = True


@dataclass(frozen=True)
class Ranks:
    """One process among ``size``; ``local`` is its place on its node, from 0."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, items: list[int]) -> list[int]:
        """This rank's part of ``items``: every item goes to exactly one rank."""
        return items[self.rank :: self.size]

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.size > 1:
            dist.barrier()

    def agree(self, problem: str | None) -> None:
        """Raise on every rank what any rank has to complain of.

        Raises:
            UserError: the complaint of the lowest rank that has one.
        """
        problems = [problem]
        if self.size > 1:
            problems = [None] * self.size
            dist.all_gather_object(problems, problem)
        for text in problems:
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
        except UserError as error:
            problem = str(error)
        self.agree(problem)

    def tell(self, value: str) -> str:
        """Rank 0's ``value``, on every rank."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def device(self, chosen: torch.device) -> torch.device:
        """``cuda`` -> this rank's GPU, among those that its process sees."""
        if self.size == 1 or chosen.type != "cuda" or chosen.index is not None:
            return chosen
        return torch.device("cuda", self.local % torch.cuda.device_count())

    def leave(self) -> None:
        """Leave the process group, if there is one."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


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


def join(launcher: str, device: str, local_rank: int | None) -> Ranks:
    """Take this process's place: rank, GPU, and process group (NCCL on GPUs, gloo on CPUs).

    Raises:
        UserError: see :func:`read_ranks`; or the other processes cannot be reached.
    """
    ranks = read_ranks(launcher, os.environ, local_rank)
    if launcher == "none":
        return ranks
    os.environ["RANK"], os.environ["WORLD_SIZE"] = str(ranks.rank), str(ranks.size)
    os.environ["LOCAL_RANK"] = str(ranks.local)
    if launcher == "slurm":
        os.environ.setdefault("MASTER_ADDR", _first_slurm_node())
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29500")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(ranks.local % torch.cuda.device_count())
    if ranks.size > 1:
        try:
            dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
        except (RuntimeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise UserError(
                f"--launcher {launcher}: cannot meet the other ranks: {first}"
            ) from error
    return ranks


def _first_slurm_node() -> str:
    nodes = os.environ.get("SLURM_JOB_NODELIST") or os.environ.get("SLURM_NODELIST")
    if not nodes:
        return "127.0.0.1"
    if re.fullmatch(r"[\w.-]+", nodes):
        return nodes
    try:
        listed = subprocess.run(
            ["scontrol", "show", "hostname", nodes], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"--launcher slurm: scontrol does not expand {nodes}; set MASTER_ADDR"
        ) from error
    return listed.stdout.split()[0]


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


def check_shared(
    folder: Path,
    ranks: Ranks,
    way_out: str = "pass --tmpdir DIR with a folder that all nodes share",
) -> None:
    """Every rank sees ``folder``: rank 0 leaves a token there that all others must read.

    Raises:
        UserError: on every rank, when one of them does not.
    """
    token = ranks.tell(secrets.token_hex(8))
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
