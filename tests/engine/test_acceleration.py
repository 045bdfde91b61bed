"""Faster networks give what the plain ones give, and what looks at a layer still sees it."""

from __future__ import annotations

import copy
import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmcv.cnn import ConvModule
from mmdet.models.backbones.resnet import ResNet
from torch import Tensor, nn

from bdd100k_models.engine import acceleration
from bdd100k_models.engine.acceleration import PackedConv2d, accelerate
from bdd100k_models.files import REPOSITORY
from bdd100k_models.system import keep_freed_memory


def seeded(network: nn.Module) -> nn.Module:
    """Weights and statistics that leave no layer without effect; in eval mode."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name, tensor in module.state_dict().items():
                if name in ("weight", "running_var"):
                    tensor.uniform_(0.5, 1.5, generator=generator)
                elif name in ("bias", "running_mean"):
                    tensor.normal_(0, 0.3, generator=generator)
    network.eval()  # which gives None for a ResNet of mmdet
    return network


def picture(channels: int = 3, height: int = 33, width: int = 50) -> Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def results(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    outputs = network(inputs)
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def check_same(network: nn.Module, inputs: Tensor, pack: bool = True) -> nn.Module:
    faster = copy.deepcopy(network)
    accelerate(faster, pack=pack)
    for plain, fast in zip(results(network, inputs), results(faster, inputs), strict=True):
        assert fast.dtype == plain.dtype
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))
    return faster


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: ResNet(18),
        lambda: ResNet(50),
        lambda: ResNet(50, deep_stem=True, avg_down=True, style="caffe"),
        lambda: ConvModule(3, 8, 3, norm_cfg=dict(type="BN"), act_cfg=dict(type="LeakyReLU")),
        lambda: ConvModule(3, 8, 3, norm_cfg=dict(type="BN"), order=("act", "norm", "conv")),
        lambda: ConvModule(3, 8, 3, padding=1, padding_mode="reflect", norm_cfg=dict(type="BN")),
        lambda: ConvModule(3, 8, 3, norm_cfg=dict(type="GN", num_groups=2)),
        lambda: ConvModule(3, 8, 3, conv_cfg=dict(type="ConvWS")),
        lambda: nn.Sequential(nn.ConvTranspose2d(3, 8, 4, 2), nn.BatchNorm2d(8), nn.ReLU()),
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding="same"), nn.BatchNorm2d(8), nn.ReLU()),
        lambda: nn.Sequential(nn.Conv2d(3, 9, 3, groups=3), nn.ReLU(), nn.BatchNorm2d(9)),
        lambda: nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, affine=False), nn.ReLU()),
    ],
)
def test_results_stay(make: Callable[[], nn.Module], pack: bool) -> None:
    torch.manual_seed(0)
    check_same(seeded(make()), picture(), pack)


def test_norms_are_gone_and_maps_are_channels_last() -> None:
    torch.manual_seed(0)
    faster = check_same(seeded(ResNet(50)), picture())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())
    for features in results(faster, picture()):
        assert features.is_contiguous(memory_format=torch.channels_last)


def test_maps_of_another_size_and_none_at_all() -> None:
    torch.manual_seed(0)
    network = seeded(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()))
    faster = check_same(network, picture())
    for other in (picture(3, 64, 40), picture()[:0]):
        torch.testing.assert_close(faster(other), network(other), rtol=1e-4, atol=1e-5)


class Shared(nn.Module):
    """One convolution with a norm for each of two levels, as RetinaSepBNHead."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            ConvModule(3, 3, 3, padding=1, norm_cfg=dict(type="BN")) for _ in range(2)
        )
        self.levels[1].conv = self.levels[0].conv

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(level(x) for level in self.levels)


def test_convolution_with_two_norms_keeps_them() -> None:
    torch.manual_seed(0)
    check_same(seeded(Shared()), picture())


def test_hooks_see_what_a_plain_layer_gives() -> None:
    """Before and after: a hook on a convolution, as pose has it on its final layer."""
    torch.manual_seed(0)
    network = seeded(
        nn.Sequential(ConvModule(3, 8, 3, norm_cfg=dict(type="BN")), nn.Conv2d(8, 2, 1))
    )
    seen: dict[str, list[Tensor]] = {"first": [], "last": []}
    with torch.inference_mode():
        first = network[0].conv(picture())
        last = network(picture())
    network[0].conv.register_forward_hook(lambda *call: seen["first"].append(call[2]))
    accelerate(network)
    network[1].register_forward_hook(lambda *call: seen["last"].append(call[2]))
    results(network, picture())
    torch.testing.assert_close(seen["first"], [first], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen["last"], [last], rtol=1e-4, atol=1e-5)


def test_autocast_computes_in_bf16() -> None:
    torch.manual_seed(0)
    network = seeded(ResNet(18))
    faster = check_same(network, picture())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, fast = results(network, picture()), results(faster, picture())
    assert all(features.dtype == torch.bfloat16 for features in fast)
    for a, b in zip(plain, fast, strict=True):
        torch.testing.assert_close(b, a, rtol=0.1, atol=0.05 * float(a.abs().max()))


def test_gradients_of_the_input_still_flow() -> None:
    torch.manual_seed(0)
    network = seeded(ConvModule(3, 8, 3, norm_cfg=dict(type="BN")))
    accelerate(network)
    inputs = picture().requires_grad_()
    network(inputs).sum().backward()
    assert inputs.grad is not None and inputs.grad.abs().sum() > 0


def test_copies_work() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3)).eval()
    accelerate(network)
    (wanted,) = results(network, picture())
    copied = copy.deepcopy(network)
    nn.init.zeros_(network[0].weight)
    assert isinstance(copied[0], PackedConv2d)
    assert torch.equal(copied(picture()), wanted)


class Viewed(nn.Module):
    """Flattens maps as VGG does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8 * 31 * 48, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        out: Tensor = self.fc(x.view(x.size(0), -1))
        return out


@pytest.mark.parametrize("packing", [True, False])
def test_network_that_relies_on_the_plain_layout(
    monkeypatch: pytest.MonkeyPatch, packing: bool
) -> None:
    if not packing:
        monkeypatch.setattr(acceleration, "packing_works", lambda: False)
    torch.manual_seed(0)
    faster = check_same(Viewed().eval(), picture())
    (again,) = results(faster, picture())
    assert again.shape == (2, 2)


def test_a_torch_without_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration, "packing_works", lambda: False)
    torch.manual_seed(0)
    faster = check_same(seeded(ResNet(18)), picture())
    assert not any(isinstance(module, PackedConv2d) for module in faster.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in faster.modules())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_kept() -> None:
    keep_freed_memory()
    address = ctypes.CDLL(None)
    address.malloc.restype = ctypes.c_void_p
    address.malloc.argtypes = [ctypes.c_size_t]
    address.free.argtypes = [ctypes.c_void_p]
    size = 40 * 2**20
    first = address.malloc(size)
    ctypes.memset(first, 1, size)
    before = _resident()
    address.free(first)
    assert _resident() > before - size // 2**10 // 2


def _resident() -> int:
    """KiB of this process that are in memory."""
    with open("/proc/self/status", encoding="utf-8") as lines:
        (line,) = [line for line in lines if line.startswith("VmRSS")]
    return int(line.split()[1])


_THREADS = """
import json, sys
import torch
from bdd100k_models import Predictor
predict = Predictor(sys.argv[1], sys.argv[1].replace(".py", ".pth"), device="cpu", report=str)
frames = []
for threads in (1, 2, 3):
    torch.set_num_threads(threads)
    frames.append(json.dumps([result.frame for result in predict(sys.argv[2:])]))
print([frame == frames[0] for frame in frames])
"""


@pytest.mark.parametrize("name", ["det_mini", "ins_seg_mini", "pan_seg_mini", "sem_seg_mini"])
def test_same_bits_for_any_number_of_threads(name: str, mini_root: Path) -> None:
    """A process of its own: MKL looks once how it is to compute."""
    pictures = sorted((mini_root / "images" / "100k" / "val").glob("*.jpg"))[:2]
    config = REPOSITORY / "demo" / "models" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, "-c", _THREADS, config, *pictures],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[True, True, True]"
