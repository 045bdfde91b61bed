"""Hooks of a training run: seeds, a loss that is no number, scores on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmcv.runner import Hook, LoggerHook

from bdd100k_models.engine.ranks import Ranks, SharedError
from bdd100k_models.engine.sampling import seed_everything

#: Steps in a row that may overflow in float16 while the loss scale finds its size.
_OVERFLOWS = 20


class SeedHook(Hook):
    """The random numbers of a step (dropout, sampled boxes) follow from seed, rank and step."""

    def __init__(self, seed: int, rank: int) -> None:
        self._seed = seed * 1_000_003 + rank * 7919

    def before_train_iter(self, runner: Any) -> None:
        """Seed all generators."""
        seed_everything((self._seed + runner.iter * 104_729) % 2**63)


class FiniteLossHook(Hook):
    """Stop at a loss that is no number, before it gets into the weights."""

    def __init__(self, *, half_precision: bool) -> None:
        self._patience = _OVERFLOWS if half_precision else 0
        self._in_a_row = 0

    def after_train_iter(self, runner: Any) -> None:
        """Look at the losses of the step.

        Raises:
            SharedError: they are not finite; the message names step and losses.
        """
        losses = runner.outputs["log_vars"]
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        self._in_a_row = self._in_a_row + 1 if "loss" in bad else 0
        if self._in_a_row <= self._patience:
            return
        told = ", ".join(f"{name} {losses[name]}" for name in bad)
        rate = runner.current_lr()
        raise SharedError(
            f"the loss is no number at step {runner.iter + 1}: {told} (lr {_first(rate):g}); "
            "lower optimizer.lr, set optimizer_config.grad_clip, or look at the data of this step; "
            "--resume goes on from the last checkpoint"
        )


def _first(rates: Any) -> float:
    values = next(iter(rates.values())) if isinstance(rates, dict) else rates
    return float(values[0])


class EvaluationHook(Hook):
    """Official scores while training, and the checkpoint that is best by them.

    Args:
        evaluate: network -> the official summary on rank 0, an empty one on the others.
        interval: epochs or steps between two evaluations; the last one is always evaluated.
        by_epoch: which of the two ``interval`` counts.
        start: first epoch or step to evaluate at.
        save_best: key of the summary that decides, the higher the better; None keeps no best.
        images: pictures that are scored, for the log.
    """

    def __init__(
        self,
        evaluate: Callable[[Any], Mapping[str, float]],
        ranks: Ranks,
        *,
        interval: int,
        by_epoch: bool,
        start: int,
        save_best: str | None,
        images: int,
    ) -> None:
        self._evaluate = evaluate
        self._ranks = ranks
        self._interval = interval
        self._by_epoch = by_epoch
        self._start = start
        self._save_best = save_best
        self._images = images

    def after_train_epoch(self, runner: Any) -> None:
        """Score where an epoch is due."""
        if self._by_epoch and self._due(runner.epoch + 1, runner.max_epochs):
            self._score(runner)

    def after_train_iter(self, runner: Any) -> None:
        """Score where a step is due, after what was logged of it is out."""
        if not self._by_epoch and self._due(runner.iter + 1, runner.max_iters):
            for hook in runner.hooks:
                if isinstance(hook, LoggerHook):
                    hook.after_train_iter(runner)
            runner.log_buffer.clear()
            self._score(runner)

    def _due(self, done: int, last: int) -> bool:
        return done == last or (done >= self._start and done % self._interval == 0)

    def _score(self, runner: Any) -> None:
        runner.logger.info("scoring %d images", self._images)
        runner.model.broadcast_buffers()
        summary = self._evaluate(runner.model.module)
        if not self._ranks.first:
            return
        runner.log_buffer.clear()
        runner.log_buffer.output["eval_iter_num"] = self._images
        runner.log_buffer.output.update(summary)
        runner.log_buffer.ready = True
        self._keep_best(runner, summary)

    def _keep_best(self, runner: Any, summary: Mapping[str, float]) -> None:
        key = self._save_best
        messages = runner.meta.setdefault("hook_msgs", {})
        if key is None or not math.isfinite(summary.get(key, math.nan)):
            return
        if summary[key] <= messages.get("best_score", -math.inf):
            return
        earlier = messages.get("best_ckpt")
        stem = f"epoch_{runner.epoch + 1}" if self._by_epoch else f"iter_{runner.iter + 1}"
        name = f"best_{key.replace('/', '_')}_{stem}.pth"
        messages.update(best_score=summary[key], best_ckpt=name)
        runner.save_checkpoint(runner.work_dir, name, save_optimizer=False, create_symlink=False)
        if earlier and earlier != name:
            (Path(runner.work_dir) / earlier).unlink(missing_ok=True)
        runner.logger.info("best %s so far: %.2f (%s)", key, summary[key], name)
