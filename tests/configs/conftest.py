"""The published models and the reference facts that the config tests compare with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import bdd100k_models  # noqa: F401  before any test imports an OpenMMLab package

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "tests" / "data" / "reference"
TASKS = ("tagging", "det", "ins_seg", "sem_seg", "drivable", "pan_seg", "pose")


class Published(NamedTuple):
    """A published model: its task, and its place below the task's ``configs/`` (no suffix)."""

    task: str
    key: str

    @property
    def name(self) -> str:
        return self.key.rsplit("/", 1)[-1]

    @property
    def path(self) -> Path:
        return ROOT / self.task / "configs" / f"{self.key}.py"


def read_reference(name: str) -> Any:
    return json.loads((REFERENCE / name).read_text(encoding="utf-8"))


def published_models() -> list[Published]:
    """The 258 models of the catalogue that come with an OpenMMLab config."""
    return [
        Published(record["task"], record["config"])
        for record in read_reference("catalogue.json")
        if record["task"] in TASKS and record.get("framework") != "vis4d"
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "published" in metafunc.fixturenames:
        models = published_models()
        metafunc.parametrize("published", models, ids=[model.name for model in models])


@pytest.fixture(scope="session")
def all_published() -> list[Published]:
    return published_models()


@pytest.fixture(scope="session")
def hyperparameters() -> dict[str, Any]:
    """By task: what each published config resolves to."""
    return {task: read_reference(f"hyperparameters/{task}.json") for task in TASKS}


@pytest.fixture(scope="session")
def state_dicts() -> dict[str, Any]:
    """By task and name: number of keys and fingerprint of the published state dicts."""
    facts: dict[str, Any] = read_reference("state_dicts.json")
    return facts
