"""What several test folders share: a mini dataset, rendered once a session; a loopback server."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import server  # noqa: F401  a fixture


@pytest.fixture(scope="session")
def mini_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with 6 train and 4 val pictures, labels of all seven tasks, converted JSON."""
    from bdd100k_models.data.mini.dataset import MiniOptions, build
    from bdd100k_models.data.preparation import prepare

    root = tmp_path_factory.mktemp("mini") / "bdd100k"
    videos = {"train_videos": 2, "val_videos": 2, "test_videos": 1, "frames": 5}
    build(root, MiniOptions(train=6, val=4, test=2, seed=7, **videos))
    reports = prepare(root, quiet=True)
    assert [report.summary for report in reports if report.status == "failed"] == []
    return root


@pytest.fixture(autouse=True)
def logging_left_alone() -> Iterator[None]:
    """Loggers that a training run sets up do not outlive the test."""
    logger = logging.getLogger("bdd100k_models.training")
    yield
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture(autouse=True, scope="module")
def memory_given_back() -> Iterator[None]:
    """What networks keep for their next pass does not pile up over a session."""
    yield
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
