"""Hooks, called as a runner calls them."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bdd100k_models.engine.hooks import EvaluationHook, FiniteLossHook, SeedHook
from bdd100k_models.engine.ranks import Ranks, SharedError

NAN = float("nan")


def with_losses(**losses: float) -> Any:
    return SimpleNamespace(iter=9, outputs={"log_vars": losses}, current_lr=lambda: [0.02])


def test_finite_losses_pass() -> None:
    FiniteLossHook(half_precision=False).after_train_iter(with_losses(loss=1.0, loss_cls=1.0))


def test_the_step_and_the_losses_are_named() -> None:
    hook = FiniteLossHook(half_precision=False)
    with pytest.raises(SharedError) as caught:
        hook.after_train_iter(with_losses(loss_cls=NAN, loss_bbox=0.5, loss=NAN))
    assert str(caught.value).startswith(
        "the loss is no number at step 10: loss_cls nan, loss nan (lr 0.02)"
    )


def test_half_precision_may_overflow_for_a_while() -> None:
    hook = FiniteLossHook(half_precision=True)
    for _ in range(20):
        hook.after_train_iter(with_losses(loss=float("inf")))
    hook.after_train_iter(with_losses(loss=1.0))
    for _ in range(20):
        hook.after_train_iter(with_losses(loss=float("inf")))
    with pytest.raises(SharedError, match="loss inf"):
        hook.after_train_iter(with_losses(loss=float("inf")))


def test_random_numbers_follow_from_seed_rank_and_step() -> None:
    def draw(seed: int, rank: int, step: int) -> float:
        SeedHook(seed, rank).before_train_iter(SimpleNamespace(iter=step))
        return float(torch.rand(1, dtype=torch.float64))

    assert draw(1, 0, 5) == draw(1, 0, 5)
    assert len({draw(1, 0, 5), draw(1, 0, 6), draw(1, 1, 5), draw(2, 0, 5)}) == 4


class Runner(SimpleNamespace):
    """What the evaluation hook uses of a runner."""

    def __init__(self, work_dir: Path) -> None:
        super().__init__(
            work_dir=str(work_dir),
            epoch=0,
            iter=0,
            max_epochs=7,
            max_iters=70,
            meta={},
            hooks=[],
            model=SimpleNamespace(module="network", broadcast_buffers=lambda: None),
            logger=logging.getLogger("test"),
            log_buffer=SimpleNamespace(output={}, ready=False, clear=lambda: None),
        )

    def save_checkpoint(self, folder: str, name: str, **options: Any) -> None:
        assert options == {"save_optimizer": False, "create_symlink": False}
        (Path(folder) / name).write_text("")


def run_epochs(hook: EvaluationHook, runner: Runner) -> None:
    for epoch in range(runner.max_epochs):
        runner.epoch = epoch
        hook.after_train_epoch(runner)


def test_best_checkpoint_of_those_scored(tmp_path: Path) -> None:
    scores = iter([10.0, 30.0, 20.0])
    scored: list[int] = []
    runner = Runner(tmp_path)

    def evaluate(network: Any) -> dict[str, float]:
        assert network == "network"
        scored.append(runner.epoch + 1)
        return {"AP": next(scores)}

    hook = EvaluationHook(
        evaluate, Ranks(), interval=2, by_epoch=True, start=3, save_best="AP", images=4
    )
    run_epochs(hook, runner)
    assert scored == [4, 6, 7]
    assert [path.name for path in tmp_path.iterdir()] == ["best_AP_epoch_6.pth"]
    assert runner.meta["hook_msgs"] == {"best_score": 30.0, "best_ckpt": "best_AP_epoch_6.pth"}
    assert runner.log_buffer.output == {"AP": 20.0, "eval_iter_num": 4}


@pytest.mark.parametrize("summary", [{"AP": NAN}, {}])
def test_no_best_checkpoint_without_a_score(summary: dict[str, float], tmp_path: Path) -> None:
    hook = EvaluationHook(
        lambda network: summary,
        Ranks(),
        interval=1,
        by_epoch=True,
        start=0,
        save_best="AP",
        images=4,
    )
    run_epochs(hook, Runner(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_other_ranks_neither_log_nor_save(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    hook = EvaluationHook(
        lambda network: {},
        Ranks(1, 2, 1),
        interval=1,
        by_epoch=True,
        start=0,
        save_best="AP",
        images=4,
    )
    run_epochs(hook, runner)
    assert not runner.log_buffer.ready
    assert list(tmp_path.iterdir()) == []
