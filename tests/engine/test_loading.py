"""Batches: one shape each, in order, on a device; pictures that cannot be read are told."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.parallel import DataContainer

from bdd100k_models.engine.loading import RecordDataset, Sample, group, make_loader, to_device
from bdd100k_models.tasks.base import ImageRecord


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
    broken = Sample(ImageRecord(1, "x", "x"), None, "x is empty")
    loaded = group([sample(0, 2), broken])
    assert loaded.problems == ["x is empty"]
    assert [r.index for b in loaded.batches for r in b.records] == [0]
    assert group([broken]).batches == []


def test_what_a_pipeline_trips_over_becomes_a_problem(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty.jpg", tmp_path / "full.jpg"
    empty.touch()
    full.write_bytes(b"x")

    def pipeline(record: ImageRecord) -> Any:
        raise ValueError("first line\nbad header")

    dataset = RecordDataset(
        [ImageRecord(0, "e", str(empty)), ImageRecord(1, "f", str(full))], pipeline
    )
    assert dataset[0].problem == f"{empty} is empty"
    assert dataset[1].problem == f"{full} cannot be read as a picture (bad header)"


def pipeline_of_shapes(record: ImageRecord) -> dict[str, Any]:
    return {"img": torch.zeros(1, record.extra), "img_metas": DataContainer({}, cpu_only=True)}


def test_loader_workers_keep_the_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    sizes = np.random.default_rng(0).integers(1, 3, 9).tolist()
    records = [ImageRecord(i, str(i), str(tmp_path / "x"), size) for i, size in enumerate(sizes)]
    loader = make_loader(records, pipeline_of_shapes, batch_size=3, workers=2, pin_memory=False)
    seen = [sorted(r.index for b in loaded.batches for r in b.records) for loaded in loader]
    assert seen == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
