"""What checkpoints hold, and how they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bdd100k_models.engine.runners import plain, write_checkpoint
from bdd100k_models.errors import UserError


def test_plain_gives_what_weights_only_loading_takes(tmp_path: Path) -> None:
    value = {
        "score": np.float64(1.5),
        "count": np.int64(3),
        "names": ("a", "b"),
        "nested": [{"x": None, "flag": np.bool_(True)}],
        "path": tmp_path,
        1: torch.tensor([2.0]),
    }
    expected = {
        "score": 1.5,
        "count": 3,
        "names": ("a", "b"),
        "nested": [{"x": None, "flag": True}],
        "path": str(tmp_path),
        "1": torch.tensor([2.0]),
    }
    assert plain(value) == expected
    write_checkpoint(plain(value), tmp_path / "c.pth")
    assert torch.load(tmp_path / "c.pth", weights_only=True) == expected


def test_a_checkpoint_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "epoch_1.pth"
    write_checkpoint({"meta": {"iter": 1}}, path)

    def break_off(content: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", break_off)
    with pytest.raises(UserError, match="No space left"):
        write_checkpoint({"meta": {"iter": 2}}, path)
    assert torch.load(path, weights_only=True) == {"meta": {"iter": 1}}
    assert [p.name for p in path.parent.iterdir()] == ["epoch_1.pth"]
