"""What a process computes on: its GPU, and the CPU cores that it may use."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bdd100k_models import system
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from bdd100k_models.engine.ranks import Ranks

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CPU = torch.device("cpu")


def resolve_device(text: str, ranks: Ranks | None = None) -> torch.device:
    """``cpu``, ``cuda``, ``cuda:N`` or ``auto`` -> a device that is there, a GPU with its index.

    A GPU becomes the current one, so that nothing makes a context on another. Of several ranks
    each gets the GPU of its place on its node, counted among those that its process sees: where a
    launcher shows each process one GPU, that is ``cuda:0`` for all.

    Raises:
        UserError: unknown; a GPU that this process does not see; or an index, which says nothing
            where several ranks run.
    """
    shared = ranks is not None and ranks.size > 1
    try:
        chosen = torch.device("cuda" if text == "auto" else text)
    except RuntimeError as error:
        raise UserError(f"--device {text}: use cpu, cuda, cuda:N or auto") from error
    if chosen.type == "cpu":
        return torch.device("cpu")
    if chosen.type != "cuda":
        raise UserError(f"--device {text}: use cpu, cuda, cuda:N or auto")
    if shared and chosen.index is not None:
        raise UserError(
            f"--device {text}: with a launcher each process takes the GPU of its place; "
            "use --device cuda"
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        if text == "auto":
            return torch.device("cpu")
        raise UserError(f"--device {text}: no GPU that this torch can use; try --device cpu")
    if chosen.index is not None and chosen.index >= count:
        raise UserError(f"--device {text}: there are {count} GPUs, counted from cuda:0")
    if chosen.index is None:
        if shared:
            assert ranks is not None
            index = ranks.local % count
        else:
            index = torch.cuda.current_device() if torch.cuda.is_initialized() else 0
        chosen = torch.device("cuda", index)
    torch.cuda.set_device(chosen)
    return chosen


def gpu_identity(device: torch.device) -> str:
    """What names a GPU of this host whatever its index: two processes with one name share it."""
    return str(torch.cuda.get_device_properties(device).uuid)


@dataclass(frozen=True)
class Place:
    """Where a process runs.

    Attributes:
        host: name of the machine.
        affinity: numbers of the cores that it may run on.
        cgroup: its cgroup; processes of one cgroup share the quota.
        quota: cores' worth of time that the cgroup may use, or None.
    """

    host: str
    affinity: tuple[int, ...]
    cgroup: str = ""
    quota: float | None = None


def own_place() -> Place:
    """Where this process runs."""
    return Place(socket.gethostname(), system.usable_cores(), *cgroup_quota(_CGROUPS, _OWN_CGROUP))


def cgroup_quota(mounted: Path, own: Path) -> tuple[str, float | None]:
    """The cgroup of this process as ``own`` tells it, and the cores' worth of time it may use.

    The quota is the smallest on the way to the root; None where there is none. A container often
    shows its own cgroup as the root of what is mounted, so that the path is found in part.
    """
    try:
        text = own.read_text()
    except OSError:
        return "", None
    quotas = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base = mounted
        elif "cpu" in controllers.split(","):
            base = next(
                (p for p in (mounted / "cpu", mounted / controllers) if p.is_dir()), mounted
            )
        else:
            continue
        folder = base / path.lstrip("/")
        while True:
            quotas.append(_quota_of(folder))
            if folder == base:
                break
            folder = folder.parent
    return text, min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").is_file():  # cgroup v2
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        limit = int(quota)
    except (OSError, ValueError):  # not there, or "max"
        return None
    return limit / int(period) if limit > 0 else None


def cores_of(place: Place, peers: Iterable[Place]) -> int:
    """Cores for one process among ``peers``, itself included: each core is split among its users.

    At least 1.
    """
    neighbours = [peer for peer in peers if peer.host == place.host]
    share = sum(
        Fraction(1, sum(core in peer.affinity for peer in neighbours)) for core in place.affinity
    )
    if place.quota is not None:
        sharing = sum(peer.cgroup == place.cgroup for peer in neighbours)
        share = min(share, Fraction(place.quota) / sharing)
    return max(1, int(share))


def cores(ranks: Ranks | None = None) -> int:
    """CPU cores that this rank may use, at least 1.

    What its affinity and its cgroup's quota allow, split among the ranks of the same host that
    may use them too. The same for every launcher.
    """
    places = ranks.places if ranks is not None else ()
    if ranks is None or not places:
        place = own_place()
        return cores_of(place, [place])
    return cores_of(places[ranks.rank], places)


def loader_workers(wanted: int, ranks: Ranks | None = None, device: torch.device = _CPU) -> int:
    """Loader processes of this rank where nobody asks for a number: at most ``wanted``.

    A GPU leaves all cores to them. On a CPU the network takes the time, and its threads wait for
    each other, so that it gets three cores of four and none with a loader on it: with fewer than
    four, pictures are loaded between its steps.
    """
    available = cores(ranks)
    return min(wanted, available if device.type == "cuda" else available // 4)


def use_cores(device: torch.device, ranks: Ranks | None = None, workers: int = 0) -> None:
    """Give torch's operators on a CPU the cores that loader processes leave, at least one.

    A number of threads that the user chose (``OMP_NUM_THREADS``) stays. torchrun sets it to 1
    whatever the cores; that is no choice of the user.
    """
    chosen = os.environ.get("OMP_NUM_THREADS")
    if chosen is not None and not (chosen == "1" and "TORCHELASTIC_RUN_ID" in os.environ):
        return
    if device.type == "cpu":
        torch.set_num_threads(max(1, cores(ranks) - workers))


def set_matmul_precision(*, tf32: bool) -> None:
    """Whether float32 convolutions and matrix products on GPUs may round their inputs to TF32.

    TF32 keeps 10 bits of the mantissa: several times as fast from Ampere on, results differ in
    the third digit. Without it float32 means float32, in both.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
