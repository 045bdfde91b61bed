"""The labelled world of the evaluators' tests, and tracks that break."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.conftest import edited, world  # noqa: F401  fixtures

Files = tuple[Path, Path]


@pytest.fixture
def files_of(world: Any, mini_root: Path, tmp_path: Path) -> Callable[[str], Files]:  # noqa: F811
    """Ground truth and predictions of a task, in JSON form."""

    def make(task: str) -> Files:
        if task in ("sem_seg", "drivable"):
            return tuple(world.semantic(task)[:2])
        if task in ("mot", "mots"):
            folder = {"mot": "box_track_20/val", "mots": "seg_track_20/rles/val"}[task]
            truth = mini_root / "labels" / folder
            return truth, broken_tracks(truth, tmp_path / f"{task}.json")
        return tuple(getattr(world, task)()[:2])

    return make


def broken_tracks(truth: Path, path: Path) -> Path:
    """The true tracks, with frame 1 of each video empty and new identities from frame 3 on."""
    frames = [f for file in sorted(truth.glob("*.json")) for f in json.loads(file.read_text())]
    for frame in frames:
        if frame["frameIndex"] == 1:
            frame["labels"] = []
        if frame["frameIndex"] >= 3:
            for label in frame["labels"]:
                label["id"] = str(int(label["id"]) + 1000)
    path.write_text(json.dumps({"frames": frames}))
    return path
