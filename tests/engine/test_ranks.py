"""Ranks, as each launcher's environment tells them."""

from pathlib import Path

import pytest

from bdd100k_models.engine.ranks import Ranks, SharedError, check_writable, read_ranks
from bdd100k_models.errors import UserError


@pytest.mark.parametrize(
    ("launcher", "environment", "expected"),
    [
        ("none", {}, Ranks(0, 1, 0)),
        ("none", {"WORLD_SIZE": "1", "RANK": "0"}, Ranks(0, 1, 0)),
        ("pytorch", {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Ranks(5, 8, 1)),
        ("slurm", {"SLURM_PROCID": "2", "SLURM_NTASKS": "3", "SLURM_LOCALID": "0"}, Ranks(2, 3, 0)),
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
