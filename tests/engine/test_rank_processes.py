"""Ranks that are real processes: how they meet, and what becomes of those who are left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from rank_processes import leave_behind, meet, run_ranks, see_gpus

PATIENCE = 2.0


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_meet_and_leave(size: int, tmp_path: Path) -> None:
    ends = run_ranks(meet, 60.0, folder=tmp_path, size=size)
    assert [(end.status, end.err) for end in ends] == [(0, "")] * size
    everyone = [(rank, rank) for rank in range(size)]
    assert {end.out for end in ends} == {f"{everyone}\n{{'of': 0}}\n[True, False]\nTrue\n"}


def test_a_rank_that_does_not_come_is_named_once(tmp_path: Path) -> None:
    ends = run_ranks(meet, PATIENCE, folder=tmp_path, size=4, only=(0, 2))
    assert [end.status for end in ends] == [2, 2]
    assert ends[0].err.startswith("error: rank 1, rank 3 of 4 did not come within 2 s: ")
    assert ends[0].err.count("\n") == 1
    assert ends[1].err == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "nowhere.invalid"])
def test_the_first_rank_is_missing(address: str, tmp_path: Path) -> None:
    (end,) = run_ranks(
        meet, PATIENCE, folder=tmp_path, only=(1,), environment={"MASTER_ADDR": address}
    )
    assert end.status == 2
    assert end.err.startswith(f"error (rank 1): rank 1 did not reach rank 0 at {address}:")
    assert "set MASTER_ADDR and MASTER_PORT" in end.err
    assert end.err.count("\n") == 1


def test_a_wrong_address_is_told_by_those_who_have_it(tmp_path: Path) -> None:
    ends = run_ranks(
        meet, PATIENCE, folder=tmp_path, environment={"MASTER_ADDR": "nowhere.invalid"}
    )
    assert [end.status for end in ends] == [2, 2]
    assert "rank 1 of 2 did not come" in ends[0].err
    assert "nowhere.invalid" in ends[1].err
    assert [end.err.count("\n") for end in ends] == [1, 1]


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        # srun --gpus-per-task=1, CUDA_VISIBLE_DEVICES of its own for each process
        ({0: ["a"], 1: ["b"]}, ["cuda:0", "cuda:0"]),
        ({0: ["a", "b"], 1: ["a", "b"]}, ["cuda:0", "cuda:1"]),
        ({0: ["a", "b", "c"], 1: ["a", "b", "c"]}, ["cuda:0", "cuda:1"]),
    ],
)
def test_each_rank_gets_a_gpu_of_its_own(
    gpus: dict[int, list[str]], expected: list[str], tmp_path: Path
) -> None:
    ends = run_ranks(see_gpus, 60.0, gpus, folder=tmp_path, environment={"LAUNCHER": "pytorch"})
    assert [(end.status, end.err) for end in ends] == [(0, ""), (0, "")]
    for end, device in zip(ends, expected, strict=True):
        assert end.out.startswith(f"bound to {device} current [{device[-1]}]\n")


def test_ranks_that_would_share_a_gpu_are_told_once(tmp_path: Path) -> None:
    gpus = {0: ["a"], 1: ["a"]}
    ends = run_ranks(see_gpus, 60.0, gpus, folder=tmp_path, environment={"LAUNCHER": "pytorch"})
    assert [end.status for end in ends] == [2, 2]
    assert ends[0].err.startswith("error: ranks 0 and 1 would share one GPU of ")
    assert ends[1].err == ""


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("last", ["gather", "broadcast", "barrier", "any", "shutdown"])
def test_a_rank_that_is_killed_ends_the_others_with_a_line(
    last: str, who: int, tmp_path: Path
) -> None:
    ends = run_ranks(leave_behind, who, int(signal.SIGKILL), last, folder=tmp_path, size=3)
    expected = [2, 2, 2]
    expected[who] = -signal.SIGKILL
    assert [end.status for end in ends] == expected
    told = "".join(end.err for end in ends)
    assert "another process of this run has ended before its time" in told
    assert "--resume" in told
    # Who is left alone with it cannot ask whether another has told it; torch's C++ half may log
    # the store that is gone with rank 0.
    assert 1 <= sum(line.startswith("error") for line in told.splitlines()) <= 2
    assert "Traceback" not in told
    assert max(end.seconds for end in ends) < 10


def test_a_rank_that_tells_why_it_ends_is_the_only_one_to_tell(tmp_path: Path) -> None:
    ends = run_ranks(leave_behind, 1, 0, "gather", folder=tmp_path, size=3)
    assert [(end.status, end.err) for end in ends] == [
        (2, ""),
        (2, "error (rank 1): this disk is full\n"),
        (2, ""),
    ]


def test_srun_with_one_visible_gpu_for_each_task(tmp_path: Path) -> None:
    ends = run_ranks(
        see_gpus, 60.0, {0: ["a"], 1: ["b"]}, folder=tmp_path, environment={"LAUNCHER": "slurm"}
    )
    assert [(end.status, end.err) for end in ends] == [(0, ""), (0, "")]
    assert all(end.out.startswith("bound to cuda:0 current [0]\n") for end in ends)
