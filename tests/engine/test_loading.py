"""Batches: one shape each, in order, on a device; pictures that cannot be read are told."""

import os
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmcv.parallel import DataContainer

from bdd100k_models.engine.loading import (
    Grouping,
    Problem,
    RecordDataset,
    Sample,
    load_batches,
    to_device,
)
from bdd100k_models.errors import UserError
from bdd100k_models.tasks.base import ImageRecord, Pipeline


class Shaped(Pipeline):
    """Zeros as wide as the record says."""

    def __call__(self, record: ImageRecord) -> dict[str, Any]:
        return {"img": torch.zeros(1, record.extra), "img_metas": DataContainer({}, cpu_only=True)}


group = Grouping(Shaped())


def sample(index: int, height: int) -> Sample:
    data = {
        "img": [torch.full((3, height, 4), float(index))],
        "img_metas": [DataContainer({"index": index}, cpu_only=True)],
    }
    return Sample(ImageRecord(index, f"{index}.jpg", f"{index}.jpg"), data)


def test_one_shape_a_batch() -> None:
    batches = group([sample(0, 2), sample(1, 5), sample(2, 2)]).batches
    assert [[r.index for r in b.records] for b in batches] == [[0, 2], [1]]
    first = to_device(batches[0].data, torch.device("cpu"))
    assert first["img"][0].shape == (2, 3, 2, 4)
    assert first["img"][0][:, 0, 0, 0].tolist() == [0, 2]
    assert [meta["index"] for meta in first["img_metas"][0]] == [0, 2]


def test_problems_do_not_take_the_others_along() -> None:
    record = ImageRecord(1, "x", "x")
    problem = Problem(record, "x is empty", own=True)
    broken = Sample(record, None, problem)
    loaded = group([sample(0, 2), broken])
    assert loaded.problems == [problem]
    assert [r.index for b in loaded.batches for r in b.records] == [0]
    assert group([broken]).batches == []


class Failing(Pipeline):
    """Fails at every picture."""

    def __call__(self, record: ImageRecord) -> Any:
        raise ValueError("first line\nbad header")


def test_what_a_pipeline_trips_over_becomes_a_problem(tmp_path: Path) -> None:
    empty, full, whole = (tmp_path / name for name in ("empty.jpg", "full.jpg", "whole.png"))
    empty.touch()
    full.write_bytes(b"x")
    cv2.imwrite(str(whole), np.zeros((4, 4, 3), np.uint8))
    records = [ImageRecord(i, path.name, str(path)) for i, path in enumerate((empty, full, whole))]
    dataset = RecordDataset(records, Failing())
    problems = [dataset[i].problem for i in range(3)]
    assert [problem and problem.reason for problem in problems] == [
        f"{empty} is empty",
        f"{full} cannot be read as a picture (bad header)",
        f"{whole} does not get through data.test.pipeline (bad header)",
    ]
    assert [problem and problem.own for problem in problems] == [True, True, False]


def test_loader_workers_keep_the_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    sizes = np.random.default_rng(0).integers(1, 3, 9).tolist()
    records = [ImageRecord(i, str(i), str(tmp_path / "x"), size) for i, size in enumerate(sizes)]
    loader = load_batches(records, Shaped(), batch_size=3, workers=2, pin_memory=False)
    seen = [sorted(r.index for b in loaded.batches for r in b.records) for loaded in loader]
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


class Suicidal(Shaped):
    """Its process is killed at the third picture, as the system does when memory runs out."""

    def __call__(self, record: ImageRecord) -> dict[str, Any]:
        if record.index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(record)


def test_a_killed_loader_process_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    records = [ImageRecord(i, str(i), str(tmp_path / "x"), 1) for i in range(4)]
    with pytest.raises(UserError, match=r"process that loads pictures failed .*--workers 0; "):
        list(load_batches(records, Suicidal(), batch_size=1, workers=1, pin_memory=False))


def test_an_error_of_ours_is_not_blamed_on_workers() -> None:
    with pytest.raises(AttributeError):
        list(
            load_batches(
                [None],  # type: ignore[list-item]
                Shaped(),
                batch_size=1,
                workers=0,
                pin_memory=False,
            )
        )


def test_pinning_reaches_every_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Size] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor.shape)
        return tensor + 1

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    batches = group([sample(0, 2), sample(1, 5)]).pin_memory().batches
    assert pinned == [(1, 3, 2, 4), (1, 3, 5, 4)]
    assert batches[1].data["img"][0][0, 0, 0, 0] == 2.0
    assert batches[1].records[0].index == 1
