"""The rehearsed GPU itself: it refuses what CUDA refuses, and counts what makes the host wait."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bdd100k_models.benchmarks.rehearsal import RehearsedGpus, rehearsal


@pytest.fixture
def gpu() -> Iterator[RehearsedGpus]:
    with rehearsal() as gpus:
        yield gpus


def ones(*shape: int) -> torch.Tensor:
    return torch.ones(shape, device="cuda")


MIXES: dict[str, Callable[[], object]] = {
    "add": lambda: ones(3) + torch.ones(3),
    "add in place": lambda: torch.ones(3).add_(ones(3)),
    "a GPU scalar and a CPU tensor": lambda: ones(1)[0] + torch.ones(3),
    "a CPU scalar takes a GPU value": lambda: torch.tensor(1.0).add_(ones(1)[0]),
    "cat": lambda: torch.cat([ones(1), torch.ones(1)]),
    "stack of scalars": lambda: torch.stack([ones(1)[0], torch.tensor(1.0)]),
    "where": lambda: torch.where(torch.ones(3, dtype=torch.bool), ones(3), ones(3)),
    "conv2d": lambda: torch.nn.functional.conv2d(ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)),
    "embedding": lambda: torch.nn.functional.embedding(torch.tensor([0]), ones(2, 2)),
    "gather": lambda: ones(2, 2).gather(0, torch.zeros(1, 2, dtype=torch.long)),
    "index of a CPU tensor": lambda: torch.ones(3)[torch.tensor([0], device="cuda")],
    "values put by index": lambda: ones(3).index_put_((torch.tensor([0, 1]),), torch.ones(2)),
    "nms": lambda: torch.ops.torchvision.nms(ones(2, 4), torch.ones(2), 0.5),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", MIXES)
def test_two_devices_in_one_operation(gpu: RehearsedGpus, name: str, inference: bool) -> None:
    with (
        torch.inference_mode(inference),
        pytest.raises(RuntimeError, match=r"same device.*(cuda:0 and cpu|cpu and cuda:0)"),
    ):
        MIXES[name]()


def test_two_gpus_in_one_operation() -> None:
    with rehearsal(count=2), pytest.raises(RuntimeError, match="cuda:0 and cuda:1"):
        torch.ones(2, device="cuda:0") + torch.ones(2, device="cuda:1")


def test_a_gpu_that_is_not_there(gpu: RehearsedGpus) -> None:
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.ones(2, device="cuda:1")


def test_gpus_that_something_was_put_on() -> None:
    with rehearsal(count=3) as gpus:
        torch.cuda.set_device(1)
        assert torch.ones(2, device="cuda").device == torch.device("cuda", 1)
        torch.ones(2).to("cuda:2")
    assert gpus.touched == {1, 2}


@pytest.mark.parametrize("way", [np.asarray, lambda tensor: tensor.numpy(), np.sqrt])
def test_no_way_to_numpy(gpu: RehearsedGpus, way: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(TypeError, match=r"can't convert cuda:0 device type tensor to numpy"):
        way(ones(3))
    assert way(ones(3).cpu()) is not None


SCALARS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "add": lambda x: x + torch.tensor(2.0),
    "from the left": lambda x: torch.tensor(2.0) + x,
    "in place": lambda x: x.add_(torch.tensor(2.0)),
    "masked_fill": lambda x: x.masked_fill(x > 0, torch.tensor(3.0)),
    "where": lambda x: torch.where(x > 0, torch.tensor(3.0), x),
    "setting an item": lambda x: x.index_put_((x > 0,), torch.tensor(3.0)),
}


@pytest.mark.parametrize("name", SCALARS)
def test_cpu_scalars_pass_as_on_cuda(gpu: RehearsedGpus, name: str) -> None:
    found = SCALARS[name](ones(2))
    assert found.device == torch.device("cuda", 0)
    assert found.tolist() == [3.0, 3.0]


WAITS: dict[str, tuple[Callable[[torch.Tensor], object], dict[str, int]]] = {
    "arithmetic": (lambda x: (x * 2 + 1).softmax(0).sum(), {}),
    "slices and views": (lambda x: x[1:].view(1, -1).transpose(0, 1), {}),
    "sort and topk": (lambda x: (x.sort(), x.topk(2), x.argmax()), {}),
    "integer index": (lambda x: x[torch.tensor([0, 2], device="cuda")], {"upload": 1}),
    "item": (lambda x: x[0].item(), {"item": 1}),
    "float": (lambda x: float(x.sum()), {"item": 1}),
    "a condition": (lambda x: bool(x.any()), {"item": 1}),
    "tolist": (lambda x: x.tolist(), {"copy to the host": 1}),
    "cpu": (lambda x: x.cpu(), {"copy to the host": 1}),
    "to": (lambda x: x.to("cpu", torch.float64, non_blocking=True), {"copy to the host": 1}),
    "copied into": (lambda x: torch.zeros(4).copy_(x), {"copy to the host": 1}),
    "nonzero": (lambda x: x.nonzero(), {"nonzero": 1}),
    "where of one": (lambda x: torch.where(x > 0), {"nonzero": 1}),
    "boolean index": (lambda x: x[x > 0], {"boolean index": 1}),
    "boolean index set": (
        lambda x: x.index_put_((x > 0,), torch.ones(4, device="cuda")),
        {"boolean index": 1},
    ),
    "one value where true": (lambda x: x.index_put_((x > 0,), x[0]), {}),
    "masked_select": (lambda x: x.masked_select(x > 0), {"masked_select": 1}),
    "unique": (lambda x: x.unique(), {"unique": 1}),
    "unique rows": (lambda x: x[:, None].unique(dim=0), {"unique": 1}),
    "nms": (
        lambda x: torch.ops.torchvision.nms(x.expand(2, 4), x[:2], 0.5),
        {"nms": 1},
    ),
    "repeat_interleave": (
        lambda x: x.repeat_interleave(x.long()),
        {"repeat_interleave": 1},
    ),
    "repeat_interleave of a known size": (
        lambda x: x.repeat_interleave(x.long(), output_size=4),
        {},
    ),
    "synchronize": (lambda x: torch.cuda.synchronize(), {"synchronize": 1}),
    "host data": (lambda x: torch.tensor([1.0, 2.0], device="cuda"), {"upload": 1}),
    "new_tensor": (lambda x: x.new_tensor([1.0]), {"upload": 1}),
    "numpy": (lambda x: torch.from_numpy(np.ones(2)).cuda(), {"upload": 1}),
    "pageable memory": (lambda x: torch.ones(2).to("cuda", non_blocking=True), {"upload": 1}),
    "pinned memory": (lambda x: torch.ones(2).pin_memory().to("cuda"), {"upload": 1}),
    "pinned memory, not waiting": (
        lambda x: torch.ones(2).pin_memory().to("cuda", non_blocking=True),
        {},
    ),
    "index on the CPU": (lambda x: x[torch.tensor([0, 2])], {"upload": 1}),
    "made there": (lambda x: torch.zeros(3, device="cuda") + x.new_ones(3), {}),
}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", WAITS)
def test_waits_by_kind(gpu: RehearsedGpus, name: str, inference: bool) -> None:
    call, expected = WAITS[name]
    with torch.inference_mode(inference):
        tensor = torch.ones(4, device="cuda")
        gpu.waits.clear()
        call(tensor)
    assert gpu.waits.by_kind() == expected
    assert gpu.waits.uploads == expected.get("upload", 0)
    assert gpu.waits.total == sum(expected.values()) - gpu.waits.uploads


def wait_twice(tensor: torch.Tensor) -> None:
    for _ in range(2):
        tensor.sum().item()


def test_the_place_is_the_line_that_asked(gpu: RehearsedGpus) -> None:
    tensor = ones(3)
    wait_twice(tensor)
    assert len(tensor.nonzero()) == 3
    (item, times), (nonzero, once) = sorted(gpu.waits.counts.items())
    assert (item[0], times) == ("item", 2)
    assert item[1].source == "tensor.sum().item()"
    assert item[1].function == "wait_twice"
    assert Path(item[1].file) == Path(__file__)
    assert (nonzero[0], once) == ("nonzero", 1)
    assert nonzero[1].source.startswith("assert len(tensor.nonzero())")


def test_a_network_moves_there_and_computes_what_the_cpu_computes(gpu: RehearsedGpus) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LayerNorm(6), torch.nn.ReLU()
    ).eval()
    image = torch.rand(2, 3, 8, 8)
    expected = network(image).detach()
    moved = copy.deepcopy(network).to("cuda")
    assert {p.device for p in [*moved.parameters(), *moved.buffers()]} == {torch.device("cuda", 0)}
    with torch.inference_mode():
        assert torch.equal(moved(image.to("cuda")).cpu(), expected)
    assert torch.equal(moved(image.to("cuda")).detach().cpu(), expected)
    again = copy.deepcopy(moved)
    assert isinstance(again[0].weight, torch.nn.Parameter)
    assert again[0].weight.device == torch.device("cuda", 0)


def test_parameters_on_the_cpu_meet_pictures_on_the_gpu(gpu: RehearsedGpus) -> None:
    with pytest.raises(RuntimeError, match="same device"):
        torch.nn.Conv2d(3, 4, 3)(ones(1, 3, 8, 8))


def test_a_step_reaches_what_the_loss_came_from(gpu: RehearsedGpus) -> None:
    layers = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]).to("cuda")
    optimizer = torch.optim.AdamW(layers.parameters(), lr=0.1)
    before = [p.detach().cpu() for p in layers.parameters()]
    layers[0](ones(3, 2)).sum().backward()
    optimizer.step()
    assert layers[1].weight.grad is None
    changed = [
        not torch.equal(p.detach().cpu(), b)
        for p, b in zip(layers.parameters(), before, strict=True)
    ]
    assert changed == [True, True, False, False]


def test_checkpoints_hold_the_data(gpu: RehearsedGpus, tmp_path: Path) -> None:
    torch.save({"weight": ones(2, 3)}, tmp_path / "a.pth")
    loaded = torch.load(tmp_path / "a.pth", weights_only=True)
    assert torch.equal(loaded["weight"], torch.ones(2, 3))


def test_autocast(gpu: RehearsedGpus) -> None:
    network = torch.nn.Linear(2, 2).to("cuda")
    with torch.autocast("cuda", dtype=torch.float16):
        assert network(ones(1, 2)).dtype == torch.float16


def test_everything_is_as_before_afterwards() -> None:
    before = torch.cuda.is_available(), torch.cuda.device_count(), torch.backends.cudnn.enabled
    with rehearsal():
        tensor = ones(2)
        assert torch.cuda.is_available()
    assert before == (
        torch.cuda.is_available(),
        torch.cuda.device_count(),
        torch.backends.cudnn.enabled,
    )
    linear = torch.nn.Linear(2, 2)
    weight = linear.weight
    assert linear.to(torch.float64).weight is weight
    with pytest.raises(RuntimeError, match="outlived the rehearsal"):
        tensor + 1
