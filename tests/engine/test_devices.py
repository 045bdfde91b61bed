"""GPUs and cores of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bdd100k_models.engine import devices
from bdd100k_models.engine.devices import Place, cgroup_quota, cores_of, resolve_device
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``gpus(n)``: torch sees ``n`` GPUs; gives the list of devices that were made current."""

    def pretend(count: int) -> list[torch.device]:
        made_current: list[torch.device] = []
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", made_current.append)
        return made_current

    return pretend


@pytest.mark.parametrize(
    ("seen", "text", "ranks", "expected"),
    [
        (0, "cpu", None, "cpu"),
        (0, "auto", None, "cpu"),
        (0, "auto", Ranks(1, 2, 1), "cpu"),
        (2, "cpu", Ranks(1, 2, 1), "cpu"),
        (2, "auto", None, "cuda:0"),
        (2, "cuda", None, "cuda:0"),
        (2, "cuda:1", None, "cuda:1"),
        (2, "cuda:1", Ranks(), "cuda:1"),
        (4, "cuda", Ranks(5, 8, 1), "cuda:1"),
        (4, "auto", Ranks(3, 4, 3), "cuda:3"),
        (1, "auto", Ranks(3, 4, 3), "cuda:0"),  # srun --gpus-per-task=1 shows each task its own
        (1, "cuda", Ranks(7, 8, 3), "cuda:0"),
    ],
)
def test_device(seen: int, text: str, ranks: Ranks | None, expected: str, gpus: Any) -> None:
    made_current = gpus(seen)
    assert resolve_device(text, ranks) == torch.device(expected)
    # Or what asks for "the" GPU later would make a context on GPU 0.
    assert made_current == ([torch.device(expected)] if expected != "cpu" else [])


@pytest.mark.parametrize(
    ("seen", "text", "ranks", "told"),
    [
        (0, "cuda", None, "no GPU that this torch can use; try --device cpu"),
        (2, "cuda:2", None, "there are 2 GPUs, counted from cuda:0"),
        (2, "cuda:1", Ranks(0, 2, 0), "with a launcher each process takes the GPU of its place"),
        (0, "cuda:0", Ranks(0, 2, 0), "use --device cuda"),
        (2, "toaster", None, "use cpu, cuda, cuda:N or auto"),
        (2, "meta", None, "use cpu, cuda, cuda:N or auto"),
    ],
)
def test_no_such_device(seen: int, text: str, ranks: Ranks | None, told: str, gpus: Any) -> None:
    gpus(seen)
    with pytest.raises(UserError, match=f"--device {text}: .*{told}"):
        resolve_device(text, ranks)


def at(affinity: str, host: str = "a", **more: Any) -> Place:
    return Place(host, tuple(map(int, affinity)), **more)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([at("0123")], [4]),
        ([at("0")], [1]),
        ([at("01234567"), at("01234567")], [4, 4]),
        ([at("0123"), at("4567")], [4, 4]),  # bound apart, as srun and mpirun do
        ([at("0123"), at("23")], [3, 1]),
        ([at("0123"), at("0123", host="b")], [4, 4]),  # ranks of another node use other cores
        ([at("01"), at("01"), at("01")], [1, 1, 1]),
        ([at("0123", quota=2.0)], [2]),
        ([at("0123", quota=0.5)], [1]),
        ([at("01234567", quota=6.0, cgroup="x")] * 2, [3, 3]),
        ([at("01", quota=2.0, cgroup="x"), at("23", quota=2.0, cgroup="y")], [2, 2]),
    ],
)
def test_cores_are_split_among_those_who_may_use_them(
    places: list[Place], expected: list[int]
) -> None:
    assert [cores_of(place, places) for place in places] == expected


def test_cores_of_a_rank_are_those_of_its_place() -> None:
    group: Any = SimpleNamespace(places=(at("0123"), at("23")))
    assert [devices.cores(Ranks(rank, 2, rank, group)) for rank in (0, 1)] == [3, 1]


@pytest.mark.parametrize(
    ("device", "wanted", "available", "expected"),
    [
        ("cuda", 4, 16, 4),
        ("cuda", 4, 2, 2),
        ("cuda", 0, 2, 0),
        ("cpu", 4, 2, 0),  # both cores are the network's
        ("cpu", 4, 8, 2),
        ("cpu", 4, 64, 4),
    ],
)
def test_loader_processes(
    device: str, wanted: int, available: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cores", lambda ranks: available)
    assert devices.loader_workers(wanted, None, torch.device(device)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds nobody")
def test_a_process_bound_to_one_core_has_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from bdd100k_models.engine import devices; print(devices.cores())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert run.stdout == "1\n"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_quota_of_cgroup_v2_is_the_smallest_on_the_way_to_the_root(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/job/step\n")
    write(tmp_path / "fs" / "job", cpu__max="350000 100000\n")
    write(tmp_path / "fs" / "job" / "step", cpu__max="max 100000\n")
    assert cgroup_quota(tmp_path / "fs", own) == ("0::/job/step\n", 3.5)


def test_quota_within_a_container_stands_at_the_root(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/../elsewhere/step\n")
    write(tmp_path / "fs", cpu__max="150000 100000\n")
    assert cgroup_quota(tmp_path / "fs", own)[1] == 1.5


def test_quota_of_cgroup_v1(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("4:memory:/x\n3:cpu,cpuacct:/job\n")
    folder = tmp_path / "fs" / "cpu,cpuacct"
    write(folder, cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert cgroup_quota(tmp_path / "fs", own)[1] is None
    write(folder / "job", cpu__cfs_quota_us="200000\n", cpu__cfs_period_us="100000\n")
    assert cgroup_quota(tmp_path / "fs", own)[1] == 2.0


def test_no_cgroups_no_quota(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path, tmp_path / "none") == ("", None)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("environment", "workers", "expected"),
    [
        ({}, 0, 4),
        ({}, 1, 3),
        ({}, 9, 1),
        ({"OMP_NUM_THREADS": "2"}, 0, None),
        ({"OMP_NUM_THREADS": "1"}, 0, None),
        # torchrun sets it for everyone, whatever the cores.
        ({"OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "none"}, 0, 4),
    ],
)
def test_threads_of_the_network(
    environment: dict[str, str],
    workers: int,
    expected: int | None,
    threads: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OMP_NUM_THREADS", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(devices, "own_place", lambda: at("0123"))
    torch.set_num_threads(7)
    devices.use_cores(torch.device("cuda"), None, workers)
    assert torch.get_num_threads() == 7
    devices.use_cores(torch.device("cpu"), None, workers)
    assert torch.get_num_threads() == (7 if expected is None else expected)


@pytest.fixture
def matmul_precision() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("tf32", [True, False])
def test_float32_means_float32_in_convolutions_too(tf32: bool, matmul_precision: None) -> None:
    torch.backends.cuda.matmul.allow_tf32 = not tf32
    torch.backends.cudnn.allow_tf32 = not tf32
    devices.set_matmul_precision(tf32=tf32)
    assert torch.backends.cuda.matmul.allow_tf32 is tf32
    assert torch.backends.cudnn.allow_tf32 is tf32
