"""Which checkpoint of a work dir a training run goes on from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.weights import store as checkpoint

if TYPE_CHECKING:
    from mmcv import Config

_RESUMABLE = ("epoch_*.pth", "iter_*.pth")
_WRITTEN = (*_RESUMABLE, "best_*.pth", "latest.pth")


def choose(
    cfg: Config, work_dir: Path, ranks: Ranks, *, resume: bool, overwrite: bool
) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint to go on from and what it holds, the same on all ranks; None to begin anew.

    That is the config's ``resume_from``, or, where ``resume`` asks for it, the newest whole one in
    ``work_dir``. A run that begins anew gets a work dir without checkpoints: ``overwrite`` removes
    those of an earlier run.

    Raises:
        UserError: earlier checkpoints are there and neither was asked for; or the file that the
            config names has no optimizer state.
    """
    problem, chosen = None, ""
    if ranks.first:
        try:
            found = cfg.get("resume_from") or (newest(work_dir) if resume else None)
            chosen = os.fspath(found) if found else ""
            if not found and not resume:
                make_room(work_dir, overwrite=overwrite)
        except UserError as error:
            problem = str(error)
    ranks.agree(problem)
    chosen = ranks.broadcast(chosen)
    if not chosen:
        return None
    path = Path(chosen)
    content = checkpoint.read_file(path)
    if "optimizer" not in content:
        raise UserError(f"{path} has no optimizer state to go on from; load_from starts with it")
    return path, content


def newest(work_dir: Path) -> Path | None:
    """The newest whole checkpoint with optimizer state; damaged ones are passed over, and told."""
    paths = [path for pattern in _RESUMABLE for path in work_dir.glob(pattern)]
    for path in sorted(paths, key=lambda p: p.stat().st_mtime_ns, reverse=True):
        try:
            if "optimizer" in checkpoint.read_file(path):
                return path
        except UserError as error:
            print(f"note: passed over: {error}")
    return None


def make_room(work_dir: Path, *, overwrite: bool) -> None:
    """Remove the checkpoints of an earlier run, where that is allowed.

    Raises:
        UserError: there are some, and it is not.
    """
    found = [path for pattern in _WRITTEN for path in work_dir.glob(pattern)]
    if found and not overwrite:
        raise UserError(
            f"{work_dir} holds checkpoints of an earlier run; add --resume to go on with it, "
            "--overwrite to remove them, or choose another --work-dir"
        )
    for path in found:
        path.unlink()
