"""A store of its own for each test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bdd100k_models import weights


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    store = tmp_path / "store"
    monkeypatch.setenv(weights.STORE_VARIABLE, os.fspath(store))
    monkeypatch.delenv(weights.MIRRORS_VARIABLE, raising=False)
    return store
