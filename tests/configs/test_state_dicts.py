"""Every published model builds, with the state dict that its published checkpoint has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from bdd100k_models import build_model, load_config


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """Hash of the sorted lines ``KEY SHAPE`` of a state dict, 16 hex digits."""
    lines = "\n".join(f"{key} {tuple(value.shape)}" for key, value in sorted(state.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


@pytest.fixture
def no_initialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave parameters as allocated: only names and shapes count here, and 258 models build."""
    for name in dir(torch.nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.usefixtures("no_initialisation")
def test_state_dict_is_the_published_one(published: Any, state_dicts: dict[str, Any]) -> None:
    name = published.name.replace("_32bs", "")  # the batch changes no weight's shape
    model = build_model(load_config(published.path), checkpoint=None, device="cpu")
    state = model.state_dict()
    found = {"keys": len(state), "fingerprint": fingerprint(state)}
    assert found == state_dicts[published.task][name]
    assert not model.training


def test_fingerprint_depends_on_names_and_shapes_alone() -> None:
    state = {"b": torch.zeros(2, 3), "a": torch.zeros(())}
    assert fingerprint(state) == hashlib.sha256(b"a ()\nb (2, 3)").hexdigest()[:16]
    assert fingerprint(state) == fingerprint({"a": torch.ones(()), "b": torch.ones(2, 3)})
    assert fingerprint(state) != fingerprint({"a": torch.ones(()), "b": torch.ones(3, 2)})
