"""Which checkpoint of a work dir a training run goes on from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models import weights
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
                f"{path} has no optimizer state to go on from; load_from starts with it"
            )
    return path, content


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
    return isinstance(content, Mapping) and "optimizer" in content and "state_dict" in content


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
