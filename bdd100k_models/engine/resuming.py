"""Which checkpoint of a work dir a training run goes on from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models import weights
from bdd100k_models.config import read_text
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError

if TYPE_CHECKING:
    from mmcv import Config

_RESUMABLE = ("epoch_*.pth", "iter_*.pth")
_WRITTEN = (*_RESUMABLE, "best_*.pth", "latest.pth")


def choose(
    cfg: Config, work_dir: Path, ranks: Ranks, *, resume: bool, overwrite: bool
) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint to go on from and what it holds, the same on all ranks; None to begin anew.

    That is the config's ``resume_from``, or, where ``resume`` asks for it, the newest whole one in
    ``work_dir``. A run that begins anew needs a work dir without checkpoints, or ``overwrite``,
    which removes them later (:func:`make_room`).

    Raises:
        SharedError: on every rank; earlier checkpoints are there and neither was asked for; the
            file that the config names has no optimizer state; or ``overwrite`` would remove the
            file that ``load_from`` names.
    """
    chosen = ""
    with ranks.together():
        if ranks.first:
            found = cfg.get("resume_from") or (newest(work_dir) if resume else None)
            chosen = os.fspath(found) if found else ""
            if not found and not resume:
                _check_room(work_dir, cfg.get("load_from"), overwrite=overwrite)
    chosen = ranks.broadcast(chosen)
    if not chosen:
        return None
    path = Path(chosen)
    with ranks.together():
        content = weights.read_file(path)
        if not _goes_on(content):
            raise UserError(
                f"{path} has no optimizer state and step to go on from; load_from starts with it"
            )
    return path, content


#: Sections of a config that decide what a run computes: of ``data`` see below.
_DECISIVE = (
    "model",
    "optimizer",
    "optimizer_config",
    "lr_config",
    "momentum_config",
    "runner",
    "total_epochs",
    "total_iters",
    "fp16",
    "tf32",
    "custom_hooks",
    "workflow",
)
#: Beside the config's text: key of ``meta`` -> what it is called.
_FACTS = {
    "task": "task",
    "seed": "seed",
    "batch": "images a step",
    "scaled_lr": "--auto-scale-lr",
    "pictures": "training pictures",
}
_SHOWN = 4
#: Settings of the optimizer without which its state means something else.
_OTHER_OPTIMIZER = ("optimizer.type", "optimizer.constructor", "optimizer.paramwise_cfg")


@dataclass(frozen=True)
class Change:
    """A setting in which a run differs from the one that it goes on with.

    ``then`` and ``now`` are texts.
    """

    key: str
    then: str
    now: str

    def __str__(self) -> str:
        return f"{self.key} was {self.then} and is {self.now} now"


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """In what a run differs from the one that wrote a checkpoint, by the ``meta`` of both.

    What the checkpoint does not say, as those of other programs and versions, is not compared.
    """
    found = []
    for key, name in _FACTS.items():
        if key in then and then[key] != now[key]:
            found.append(Change(name, _shown(then[key]), _shown(now[key])))
    try:
        earlier = read_text(str(then["config"]))
    except (KeyError, ValueError):
        return found
    old, new = dict(_decisive(earlier)), dict(_decisive(read_text(now["config"])))
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            texts = [_shown(known[key]) if key in known else "not set" for known in (old, new)]
            found.append(Change(key, *texts))
    return found


def describe(found: list[Change]) -> str:
    """The first of some changes, and how many more there are."""
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + more


def _decisive(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Leaves of a config by their dotted key, of what decides what a run computes."""
    for key in _DECISIVE:
        if config.get(key) is not None:
            yield from _leaves(key, config[key])
    data = config.get("data")
    if isinstance(data, Mapping):
        yield from _leaves("data.train", data.get("train"))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(f"{key}.{name}", item)
    elif isinstance(value, (list, tuple)) and any(isinstance(v, (Mapping, list)) for v in value):
        for index, item in enumerate(value):
            yield from _leaves(f"{key}.{index}", item)
    else:
        yield key, list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:36]} …"


def take_up(
    runner: Any,
    path: Path,
    content: Mapping[str, Any],
    found: list[Change],
    report: Callable[[str], None],
) -> None:
    """Go on from a checkpoint; where settings have changed, with those of now.

    What does not fit a changed model keeps its initial values, and the optimizer of one, or of
    another kind, begins anew.

    Raises:
        UserError: it is not of this run, or nothing of it fits.
    """
    try:
        if not found:
            runner.go_on_from(content)
            return
        fit = weights.fit_weights(runner.model.module, content["state_dict"], path)
        if not fit.fitted:
            raise UserError(f"no weight of {path} fits this model; name a file to start from")
        for line in fit.errors:
            report(f"note: {path.name}: {line}")
        if fit.errors or any(change.key.startswith(_OTHER_OPTIMIZER) for change in found):
            report("the optimizer begins anew")
        else:
            _take_up_optimizer(runner, content["optimizer"])
        runner.stand_at(content["meta"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise UserError(f"{path} is not of this run: {reason}") from error


def _take_up_optimizer(runner: Any, state: Mapping[str, Any]) -> None:
    """Momenta of a checkpoint, with the rates of now."""
    settings = {
        key: [{k: v for k, v in group.items() if k != "params"} for group in one.param_groups]
        for key, one in runner.optimizers().items()
    }
    runner.load_optimizer(state)
    for key, one in runner.optimizers().items():
        for group, own in zip(one.param_groups, settings[key], strict=True):
            for name in ("initial_lr", "initial_momentum"):  # schedules begin with those of now
                group.pop(name, None)
            group.update(own)


def newest(work_dir: Path) -> Path | None:
    """The newest whole checkpoint with optimizer state; damaged ones are passed over, and told."""
    paths = [path for pattern in _RESUMABLE for path in work_dir.glob(pattern)]
    for path in sorted(paths, key=lambda p: p.stat().st_mtime_ns, reverse=True):
        try:
            if _goes_on(weights.read_file(path)):
                return path
        except UserError as error:
            print(f"note: passed over: {error}")
    return None


def _goes_on(content: Any) -> bool:
    """Whether a file holds what a run goes on from, whatever it is."""
    if not isinstance(content, Mapping):
        return False
    parts = [content.get(key) for key in ("optimizer", "state_dict", "meta")]
    if not all(isinstance(part, Mapping) for part in parts):
        return False
    return all(type(content["meta"].get(key)) is int for key in ("epoch", "iter"))


def _check_room(work_dir: Path, start: str | None, *, overwrite: bool) -> None:
    earlier = _earlier(work_dir)
    if earlier and not overwrite:
        raise UserError(
            f"{work_dir} holds checkpoints of an earlier run; add --resume to go on with it, "
            "--overwrite to remove them, or choose another --work-dir"
        )
    if start is not None and Path(start).resolve() in {path.resolve() for path in earlier}:
        raise UserError(
            f"load_from {start} is one of the checkpoints that --overwrite removes: move it, or "
            "choose another --work-dir"
        )


def make_room(work_dir: Path) -> None:
    """Remove the checkpoints of an earlier run.

    Raises:
        UserError: one cannot be removed.
    """
    for path in _earlier(work_dir):
        try:
            path.unlink()
        except OSError as error:
            raise UserError(f"cannot remove {path}: {error.strerror}") from error


def _earlier(work_dir: Path) -> list[Path]:
    return [path for pattern in _WRITTEN for path in work_dir.glob(pattern)]
