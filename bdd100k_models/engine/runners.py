"""mmcv's runners, made to stop at any step, and to go on from it as if they had not.

What mmcv's own do not: checkpoints appear whole or not at all, load with ``weights_only=True``,
and know the step within an epoch.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mmcv
import torch
from mmcv.runner import EpochBasedRunner, IterBasedRunner

from bdd100k_models import system
from bdd100k_models.engine.ranks import Ranks, SharedError
from bdd100k_models.errors import UserError

#: Seconds within which a signal that comes again is the same one.
_SAME_SIGNAL = 2.0


class StopTrainingError(Exception):
    """The step was reached after which the run was to stop; a checkpoint of it is written."""


class StoppingMixin:
    """What both kinds of runners share.

    Attributes:
        ranks: this process among the others; the first one writes.
        stop_after: step to stop after, or None.
        interrupted: whether the ranks have agreed to stop, as one of them got a signal.
    """

    ranks: Ranks = Ranks()
    stop_after: int | None = None
    interrupted = False
    _signalled = False
    _moment = ""
    _saved_at = -1

    # Of mmcv's runner, as far as it is used here.
    model: Any
    optimizer: Any
    logger: Any
    meta: dict[str, Any]
    work_dir: str
    _epoch: int
    _iter: int

    def call_hook(self, fn_name: str) -> None:
        """Call the hooks, and remember where in the schedule that happens."""
        self._moment = fn_name
        super().call_hook(fn_name)  # type: ignore[misc]
        self._moment = ""

    def position(self) -> tuple[int, int]:
        """Whole epochs and steps done. The runner's own counters lag behind while hooks run."""
        epochs = self._epoch + (self._moment == "after_train_epoch")
        return epochs, self._iter + (self._moment == "after_train_iter")

    def save_checkpoint(
        self,
        out_dir: str,
        filename_tmpl: str | None = None,
        save_optimizer: bool = True,
        meta: Mapping[str, Any] | None = None,
        create_symlink: bool = True,
    ) -> None:
        """Write ``epoch_N.pth`` at the end of an epoch, else ``iter_N.pth``; hooks call it."""
        epochs, steps = self.position()
        if self._moment == "after_train_epoch":
            name = (filename_tmpl or "epoch_{}.pth").format(epochs)
        else:
            name = (filename_tmpl or "iter_{}.pth").format(steps)
        path = Path(out_dir) / name
        content: dict[str, Any] = {
            "meta": self._meta_at(epochs, steps, meta or {}),
            "state_dict": {k: v.cpu() for k, v in self.model.module.state_dict().items()},
        }
        if save_optimizer:
            content["optimizer"] = (
                {key: optimizer.state_dict() for key, optimizer in self.optimizer.items()}
                if isinstance(self.optimizer, dict)
                else self.optimizer.state_dict()
            )
        write_checkpoint(content, path)
        self._saved_at = steps
        if create_symlink:
            system.point_to(path.with_name("latest.pth"), Path(name))

    def _meta_at(self, epochs: int, steps: int, more: Mapping[str, Any]) -> dict[str, Any]:
        meta = plain({**(self.meta or {}), **more, "epoch": epochs, "iter": steps})
        # mmcv's hook notes the whole path of the last file, which means nothing elsewhere.
        meta.get("hook_msgs", {}).pop("last_ckpt", None)
        return dict(meta)

    def go_on_from(self, content: Mapping[str, Any]) -> None:
        """Take up weights, optimizer, schedule and loss scale of a checkpoint."""
        self.model.module.load_state_dict(content["state_dict"])
        self.load_optimizer(content["optimizer"])
        self.stand_at(content["meta"])

    def load_optimizer(self, state: Mapping[str, Any]) -> None:
        """Take up the state of the optimizer, or of each where there are several."""
        states = state if isinstance(self.optimizer, dict) else {"": state}
        for key, optimizer in self.optimizers().items():
            optimizer.load_state_dict(states[key])

    def optimizers(self) -> dict[str, Any]:
        """The optimizers by name; that of a single one is empty."""
        return self.optimizer if isinstance(self.optimizer, dict) else {"": self.optimizer}

    def stand_at(self, meta: Mapping[str, Any]) -> None:
        """Take up the place in the schedule, and the loss scale."""
        self._epoch, self._iter = meta["epoch"], meta["iter"]
        for key in ("fp16", "hook_msgs"):
            if key in meta:
                self.meta[key] = meta[key]

    def batches(self, loader: Iterator[Any]) -> Iterator[Any]:
        """Batches; before each, and after the last, the ranks agree to go on.

        What ends the run on one rank, ends it on all, between the same two steps.

        Raises:
            KeyboardInterrupt: somebody interrupted the run; a checkpoint is written.
            SharedError: a rank has no batch, as a picture cannot be read or a process that loads
                them is gone; a checkpoint is written.
        """
        while True:
            batch, problem = None, None
            try:
                batch = next(loader, None)
            except UserError as error:
                problem = str(error)
            self.agree(problem)
            if batch is None:
                return
            yield batch

    def agree(self, problem: str | None = None) -> None:
        """Ask the ranks whether one of them cannot or shall not go on. No GPU is waited for.

        Raises:
            KeyboardInterrupt: somebody interrupted the run; a checkpoint is written.
            SharedError: the ``problem`` of a rank; a checkpoint is written.
        """
        if self.ranks.any(self._signalled or problem is not None):
            try:
                self.ranks.agree(problem)
            except SharedError:
                self._save_here()
                raise
            self.interrupted = True
            self.stop_if_due()

    def stop_if_due(self) -> None:
        """Stop where the ranks have agreed to, or ``stop_after`` is reached, with a checkpoint.

        Raises:
            KeyboardInterrupt: somebody interrupted the run.
            StopTrainingError: ``stop_after`` is reached.
        """
        due = self.stop_after is not None and self._iter >= self.stop_after
        if not (self.interrupted or due):
            return
        self._save_here()
        self.ranks.barrier()  # a launcher ends all processes when the first of them has ended
        raise KeyboardInterrupt if self.interrupted else StopTrainingError

    def _save_here(self) -> None:
        """A checkpoint of the step that is done, if there is one and it has none yet."""
        if self.ranks.first and self._iter not in (0, self._saved_at):
            self.logger.info("saving a checkpoint of step %d; --resume goes on from it", self._iter)
            self.save_checkpoint(self.work_dir)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop after the step under way; once more, later, stops at once.

        A launcher passes the signal on, so that each process gets it twice in a moment.
        """
        owner, heard = os.getpid(), -math.inf

        def interrupt(number: int, frame: Any) -> None:
            nonlocal heard
            if os.getpid() != owner:  # forked meanwhile
                os._exit(128 + number)
            if self._signalled and time.monotonic() - heard > _SAME_SIGNAL:
                raise KeyboardInterrupt
            if self._signalled:
                return
            self._signalled, heard = True, time.monotonic()
            if self.ranks.first:
                print("stopping after this step; once more to stop at once", file=sys.stderr)

        signals = (signal.SIGINT, signal.SIGTERM)
        earlier = [signal.signal(number, interrupt) for number in signals]
        try:
            yield
        finally:
            for number, handler in zip(signals, earlier, strict=True):
                signal.signal(number, handler)


class EpochRunner(StoppingMixin, EpochBasedRunner):
    """Counts epochs; goes on in the middle of one."""

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """Run one epoch, or the rest of it."""
        self.model.train()
        self.mode = "train"
        self.data_loader = data_loader
        steps = len(data_loader)
        self._max_iters = self._max_epochs * steps
        done = self._iter - self._epoch * steps
        if not 0 <= done <= steps:  # resumed with another number of ranks or batch size
            done = 0
        data_loader.sampler.start(self._epoch, done)
        self.call_hook("before_train_epoch")
        for inner, batch in enumerate(self.batches(iter(data_loader)), start=done):
            self.data_batch = batch
            self._inner_iter = inner
            self.call_hook("before_train_iter")
            self.run_iter(batch, train_mode=True, **kwargs)
            self.call_hook("after_train_iter")
            del self.data_batch
            self._iter += 1
            if inner + 1 < steps:
                self.stop_if_due()
        self.call_hook("after_train_epoch")
        self._epoch += 1
        self.agree()
        self.stop_if_due()


class _Agreed:
    """A loader that gives a batch when the ranks have agreed to go on."""

    def __init__(self, runner: StoppingMixin, loader: Any) -> None:
        self._runner = runner
        self._loader = loader
        self.sampler = loader.sampler

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        return self._runner.batches(iter(self._loader))


class StepRunner(StoppingMixin, IterBasedRunner):
    """Counts steps; its training loader has no end."""

    def run(self, data_loaders: list[Any], workflow: list[tuple[str, int]], **kwargs: Any) -> None:
        """Start the loaders where the run stands, and train."""
        for loader in data_loaders:
            loader.sampler.start(*divmod(self._iter, loader.sampler.steps))
        super().run([_Agreed(self, loader) for loader in data_loaders], workflow, **kwargs)

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """Run one step."""
        super().train(data_loader, **kwargs)
        if self._iter < self._max_iters:
            self.stop_if_due()


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint beside ``path`` and move it into place.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            part.unlink()
        raise UserError(f"cannot write checkpoint {path}: {error}") from error


def plain(value: Any) -> Any:
    """What ``weights_only`` loading takes: tensors, numbers, strings and containers of them."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value)) if isinstance(value, tuple) else [plain(v) for v in value]
    if value is None or isinstance(value, torch.Tensor) or type(value) in (str, bool, int, float):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def new_meta() -> dict[str, Any]:
    """What every checkpoint says about its making."""
    return {"mmcv_version": mmcv.__version__, "time": time.asctime()}
