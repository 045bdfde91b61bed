"""Order of the pictures, seeds of their augmentation, unreadable ones."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.parallel import DataContainer

from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.sampling import (
    Draw,
    SeededDataset,
    TrainingBatch,
    TrainingSampler,
    Unreadable,
    collate_readable,
    describe,
    make_training_loader,
    seeded,
)
from bdd100k_models.errors import UserError


def sampler(
    groups: list[int],
    batch: int = 2,
    rank: int = 0,
    size: int = 1,
    seed: int = 0,
    endless: bool = False,
) -> TrainingSampler:
    return TrainingSampler(groups, batch, Ranks(rank, size, rank), seed, endless)


def batches(draws: list[Draw], size: int) -> list[list[Draw]]:
    return [draws[i : i + size] for i in range(0, len(draws), size)]


def test_an_epoch_shows_every_picture_and_fills_the_last_batch_up() -> None:
    draws = list(sampler([0] * 7, batch=3))
    assert len(draws) == 9
    assert {draw.sample for draw in draws} == set(range(7))
    assert len({draw.seed for draw in draws}) == 9


def test_epochs_and_seeds_differ_and_repeat() -> None:
    one = sampler([0] * 20)
    first = list(one)
    assert list(one) == first
    one.start(1)
    second = list(one)
    assert [d.sample for d in second] != [d.sample for d in first]
    assert {d.seed for d in second}.isdisjoint(d.seed for d in first)
    assert [d.sample for d in sampler([0] * 20, seed=1)] != [d.sample for d in first]


def test_start_goes_on_in_the_middle() -> None:
    one = sampler([0] * 10)
    whole = list(one)
    one.start(0, 3)
    assert list(one) == whole[6:]
    assert len(one) == 10


@pytest.mark.parametrize("endless", [False, True])
def test_ranks_share_the_steps_of_one_process(endless: bool) -> None:
    whole = list(itertools.islice(sampler([0] * 11, batch=4, endless=endless), 16))
    ranks = [
        list(itertools.islice(sampler([0] * 11, 2, rank, 2, endless=endless), 8)) for rank in (0, 1)
    ]
    for step in range(min(len(whole), 16) // 4):
        together = [draw for rank in ranks for draw in batches(rank, 2)[step]]
        assert sorted(together) == sorted(batches(whole, 4)[step])


def test_a_batch_holds_one_group() -> None:
    groups = [0, 1] * 5
    for batch in batches(list(sampler(groups, batch=2)), 2):
        assert len({groups[draw.sample] for draw in batch}) == 1


def test_endless_leaves_the_rest_for_the_next_round() -> None:
    endless = sampler([0] * 7, batch=3, endless=True)
    assert endless.steps == 2
    draws = list(itertools.islice(endless, 12))
    assert len({draw.sample for draw in draws[:6]}) == 6
    assert len({draw.sample for draw in draws[6:]}) == 6


def test_fewer_pictures_than_a_batch() -> None:
    draws = list(itertools.islice(sampler([0] * 2, batch=5, endless=True), 5))
    assert {draw.sample for draw in draws} == {0, 1}


def test_seeded_leaves_the_generators_as_they_were() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = random.random(), np.random.rand(), float(torch.rand(1))
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with seeded(99):
        inside = random.random(), np.random.rand(), float(torch.rand(1))
    assert (random.random(), np.random.rand(), float(torch.rand(1))) == expected
    with seeded(99):
        assert (random.random(), np.random.rand(), float(torch.rand(1))) == inside
    assert inside != expected


class Pictures:
    """A dataset of six; ``failure`` is raised for the fourth."""

    data_infos = [{"filename": f"{i}.jpg"} for i in range(6)]

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == 3 and self.failure is not None:
            raise self.failure
        return {"img": torch.tensor([index, random.randrange(1000)])}


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_gives_the_same_for_any_number_of_workers(workers: int) -> None:
    def load(workers: int) -> list[list[list[int]]]:
        loader = make_training_loader(
            Pictures(),
            batch=2,
            workers=workers,
            ranks=Ranks(),
            seed=3,
            endless=False,
            pin_memory=False,
        )
        return [batch["img"].tolist() for batch in loader]

    assert load(workers) == load(0)
    assert sorted(row[0] for batch in load(workers) for row in batch) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "/data/3.jpg"), "/data/3.jpg"),
        (AttributeError("'NoneType' object has no attribute 'shape'"), "a damaged picture"),
    ],
)
def test_a_picture_that_cannot_be_read_is_named(
    failure: Exception, told: str, workers: int
) -> None:
    loader = make_training_loader(
        Pictures(failure),
        batch=2,
        workers=workers,
        ranks=Ranks(),
        seed=3,
        endless=False,
        pin_memory=False,
    )
    with pytest.raises(UserError, match=r"^3\.jpg of data\.train cannot be read") as caught:
        list(loader)
    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_mistakes_of_a_pipeline_are_not_hidden() -> None:
    dataset = SeededDataset(Pictures(TypeError("unexpected keyword argument 'flip'")))
    assert dataset[Draw(3, 0)] == Unreadable(
        "3.jpg of data.train does not get through its pipeline (TypeError: unexpected keyword "
        "argument 'flip')"
    )


def test_unreadable_says_the_number_where_no_name_is_known() -> None:
    class Nameless(Pictures):
        data_infos = []

    sample = SeededDataset(Nameless(OSError("broken")))[Draw(3, 0)]
    assert sample == Unreadable("sample 3 of data.train cannot be read (broken)")


@pytest.mark.parametrize(
    ("attribute", "info"),
    [
        ("data_infos", {"filename": "a.jpg"}),
        ("data_infos", {"img_info": {"filename": "a.jpg"}, "img_prefix": "x"}),
        ("img_infos", {"filename": "a.jpg"}),
        ("db", {"image_file": "a.jpg"}),
    ],
)
def test_describe_knows_how_each_package_keeps_names(attribute: str, info: dict[str, Any]) -> None:
    dataset = type("D", (), {attribute: [info]})()
    assert describe(dataset, 0) == "a.jpg"


def test_a_loader_pins_what_is_in_data_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor, device: Any = None) -> torch.Tensor:
        pinned.append(tensor)
        return tensor + 100

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    data = {
        "img": DataContainer([torch.tensor([1])], stack=True),
        "gt": DataContainer([[torch.tensor([2]), torch.tensor([3])]]),
        "img_metas": DataContainer([[{"filename": "a.jpg"}]], cpu_only=True),
        "label": torch.tensor([4]),
    }
    batch = TrainingBatch(data).pin_memory().data
    assert [int(tensor) for tensor in pinned] == [1, 2, 3, 4]
    assert batch["img"].stack
    assert batch["gt"].data == [[torch.tensor([102]), torch.tensor([103])]]
    assert batch["img_metas"].cpu_only
    assert batch["img_metas"].data == [[{"filename": "a.jpg"}]]
    assert batch["label"] == torch.tensor([104])


def test_a_collated_batch_is_what_a_loader_pins() -> None:
    samples = [{"img": torch.tensor([number])} for number in (1, 2)]
    batch = collate_readable(samples, images=2)
    assert isinstance(batch, TrainingBatch)
    assert batch.data["img"].tolist() == [[1], [2]]
    assert callable(batch.pin_memory)
