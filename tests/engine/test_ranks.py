"""Ranks, as each launcher's environment tells them."""

import os
from pathlib import Path

import pytest

from bdd100k_models.engine.devices import Place
from bdd100k_models.engine.ranks import (
    Ranks,
    SharedError,
    _choose_interface,
    _Newcomer,
    check_writable,
    default_port,
    first_node,
    interface_of,
    own_address,
    read_ranks,
    run_name,
)
from bdd100k_models.errors import UserError


@pytest.mark.parametrize(
    ("launcher", "environment", "expected"),
    [
        ("none", {}, Ranks(0, 1, 0)),
        ("none", {"WORLD_SIZE": "1", "RANK": "0"}, Ranks(0, 1, 0)),
        ("pytorch", {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Ranks(5, 8, 1)),
        (
            "slurm",
            {
                "SLURM_PROCID": "2",
                "SLURM_NTASKS": "3",
                "SLURM_LOCALID": "0",
                "SLURM_STEP_ID": "1",
            },
            Ranks(2, 3, 0),
        ),
        ("slurm", {"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0"}, Ranks()),
        (
            "mpi",
            {
                "OMPI_COMM_WORLD_RANK": "1",
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_LOCAL_RANK": "1",
            },
            Ranks(1, 2, 1),
        ),
        ("mpi", {"PMI_RANK": "1", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1"}, Ranks(1, 4, 1)),
    ],
)
def test_environment(launcher: str, environment: dict[str, str], expected: Ranks) -> None:
    assert read_ranks(launcher, environment, None) == expected


def test_local_rank_as_an_argument() -> None:
    assert read_ranks("pytorch", {"RANK": "1", "WORLD_SIZE": "2"}, 1).local == 1


@pytest.mark.parametrize(
    ("launcher", "environment", "message"),
    [
        ("none", {"WORLD_SIZE": "2", "RANK": "1"}, "add --launcher pytorch"),
        ("pytorch", {}, r"RANK and WORLD_SIZE is not set: start the command with torchrun"),
        ("slurm", {"SLURM_PROCID": "0"}, "SLURM_NTASKS is not set: .* srun"),
        # A batch script that does not call srun.
        ("slurm", {"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, "SLURM_STEP_ID .* with srun"),
        ("mpi", {}, "mpirun"),
        ("pytorch", {"RANK": "x", "WORLD_SIZE": "2"}, "ranks in the environment"),
        ("pytorch", {"RANK": "2", "WORLD_SIZE": "2"}, "rank 2 of 2 processes"),
    ],
)
def test_mistakes(launcher: str, environment: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_ranks(launcher, environment, None)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_every_image_goes_to_one_rank(size: int) -> None:
    items = list(range(10))
    parts = [Ranks(rank, size).shard(items) for rank in range(size)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_process_agrees_with_itself() -> None:
    Ranks().agree(None)
    with pytest.raises(SharedError, match="disk"):
        Ranks().agree("disk")


def test_one_process_needs_no_group() -> None:
    ranks = Ranks()
    assert ranks.gather("a") == ["a"]
    assert ranks.broadcast({"a": 1}) == {"a": 1}
    assert [ranks.any(flag) for flag in (False, True)] == [False, True]
    assert ranks.first_to_tell()
    ranks.barrier()
    ranks.shutdown()
    ranks.shutdown(failed=True)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*; choose another folder"):
        check_writable(tmp_path / "file", Ranks())


def test_what_is_done_together_fails_together() -> None:
    with Ranks().together():
        pass
    with pytest.raises(SharedError, match=r"^no such config$"), Ranks().together():
        raise UserError("no such config")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("vm", "vm"),
        ("gpu[03-07,9],cpu1", "gpu03"),
        ("a1.site,b2", "a1.site"),
        ("rack[2-3]n[04,1]", "rack2n04"),
        ("", "127.0.0.1"),
    ],
)
def test_first_of_the_nodes_that_slurm_lists(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


def test_two_runs_on_a_node_meet_at_ports_of_their_own() -> None:
    names = [
        run_name("slurm", {"SLURM_JOB_ID": "70", "SLURM_STEP_ID": "0"}),
        run_name("slurm", {"SLURM_JOB_ID": "70", "SLURM_STEP_ID": "1"}),
        run_name("mpi", {"PMIX_NAMESPACE": "2083520513"}),
    ]
    ports = {default_port(name) for name in names}
    assert len(ports) == 3
    assert all(29500 <= port < 31500 for port in ports)
    assert default_port(run_name("mpi", {})) == default_port("") == 29500


def test_interface_that_has_an_address() -> None:
    assert own_address("127.0.0.1") == "127.0.0.1"
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("203.0.113.7") is None


def test_gloo_takes_the_interface_to_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "")  # so that what is set below is undone, too
    monkeypatch.delenv("GLOO_SOCKET_IFNAME")
    monkeypatch.setattr("bdd100k_models.engine.ranks.interface_of", {"10.9.0.1": "eth7"}.get)
    monkeypatch.setattr("bdd100k_models.engine.ranks.own_address", {"10.9.0.2": "10.9.0.1"}.get)
    here = _Newcomer(Place("node0", (0,)), address="127.0.1.1")
    _choose_interface(Ranks(0, 2), [here, here])  # one host: its loopback will do
    assert "GLOO_SOCKET_IFNAME" not in os.environ
    there = _Newcomer(Place("node1", (0,)), address="10.9.0.2")
    _choose_interface(Ranks(0, 2), [here, there])
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")
    _choose_interface(Ranks(0, 2), [here, there])
    assert os.environ["GLOO_SOCKET_IFNAME"] == "ib0"
