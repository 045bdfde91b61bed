"""DLA: the published weights fit, and give the published outputs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bdd100k_models  # noqa: F401
from bdd100k_models.models.dla import BLOCKS, DLA, BasicBlock, Bottleneck, BottleneckX, Tree

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference"
SHALLOW = {"levels": [1, 1, 1, 2, 2, 1], "channels": [16, 32, 64, 128, 256, 512]}
DEEP = {"levels": [1, 1, 1, 2, 3, 1], "channels": [16, 32, 128, 256, 512, 1024]}


def seeded(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as the reference outputs were made with: each a function of its key alone."""
    filled = {}
    for key, value in state.items():
        if not value.dtype.is_floating_point:
            filled[key] = value
            continue
        rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:8], 16))
        shape = tuple(value.shape)
        if key.endswith("running_var"):
            array = rng.uniform(0.8, 1.2, shape)
        elif value.ndim >= 2:
            array = rng.normal(0, (2.0 / np.prod(shape[1:])) ** 0.5, shape)
        elif key.endswith("weight"):
            array = rng.uniform(0.8, 1.0, shape)
            if key.endswith(("bn2.weight", "bn3.weight")):
                array *= 0.3
        else:
            array = rng.normal(0, 0.05, shape)
        filled[key] = torch.tensor(array, dtype=value.dtype)
    return filled


def reference_image(side: int) -> torch.Tensor:
    """The (1, 3, side, side) input of the reference outputs."""
    rng = np.random.default_rng(7)
    coarse = torch.tensor(rng.normal(0, 1, (1, 3, side // 16, side // 16)), dtype=torch.float32)
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return smooth + torch.tensor(rng.normal(0, 0.1, (1, 3, side, side)), dtype=torch.float32)


@pytest.mark.parametrize(
    ("name", "arguments", "block"),
    [
        ("dla34_5x_224x224_weather_tag_bdd100k", SHALLOW, "BasicBlock"),
        ("dla60x_5x_224x224_scene_tag_bdd100k", DEEP, "BottleneckX"),
    ],
)
def test_reference_scores(name: str, arguments: dict[str, Any], block: str) -> None:
    recorded = json.loads((REFERENCE / "outputs.json").read_text())["tagging"][name]
    model = DLA(**arguments, block=block, num_classes=7)
    model.eval()
    state = {f"backbone.{key}": value for key, value in model.state_dict().items()}
    assert len(state) == recorded["keys"]
    filled = seeded(state)
    model.load_state_dict({key.removeprefix("backbone."): value for key, value in filled.items()})
    with torch.no_grad():
        (logits,) = model(reference_image(224))
    np.testing.assert_allclose(logits.softmax(1)[0].numpy(), recorded["scores"], atol=2e-6)


def test_keys_of_a_tree() -> None:
    tree = Tree(2, BasicBlock, 8, 16, stride=2, aggregate_input=True)
    modules = {key.rsplit(".", 1)[0] for key in tree.state_dict()}
    assert {"tree1.tree1.conv1", "tree1.tree2.bn2", "tree2.root.conv", "project.0"} <= modules
    # The second subtree keeps its width, so it projects nothing.
    assert not any(module.startswith("tree2.project") for module in modules)
    # Its root takes both of its blocks, the input of the outer tree, and the first subtree.
    assert tree.tree2.root.conv.in_channels == 16 + 16 + 8 + 16  # type: ignore[union-attr]


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck, BottleneckX])
@pytest.mark.parametrize("stride", [1, 2])
def test_tree_shapes(block: type[BasicBlock], stride: int) -> None:
    tree = Tree(3, block, 32, 64, stride=stride, aggregate_input=True).eval()
    out = tree(torch.zeros(2, 32, 16, 24))
    assert out.shape == (2, 64, 16 // stride, 24 // stride)


def test_groups() -> None:
    assert BottleneckX(64, 128).conv2.weight.shape == (128, 4, 3, 3)
    assert Bottleneck(64, 128).conv2.weight.shape == (64, 64, 3, 3)


@pytest.mark.parametrize("size", [(224, 224), (97, 161)])
def test_any_picture_size(size: tuple[int, int]) -> None:
    model = DLA([1] * 6, [8, 8, 16, 16, 16, 16], num_classes=5)
    model.eval()
    (logits,) = model(torch.zeros(2, 3, *size))
    assert logits.shape == (2, 5)


def test_gradients_reach_every_weight_but_the_idle_projections() -> None:
    model = DLA([1, 1, 1, 2, 2, 1], [8, 8, 16, 24, 32, 40], num_classes=3)
    model(torch.randn(2, 3, 64, 64))[0].sum().backward()
    idle = {name for name, weight in model.named_parameters() if weight.grad is None}
    kinds = ("0.weight", "1.weight", "1.bias")
    assert idle == {f"level{level}.project.{kind}" for level in (3, 4) for kind in kinds}


def test_initialisation() -> None:
    model = DLA([1] * 6, [8, 8, 16, 16, 16, 16], num_classes=3)
    model.init_weights()
    weights = dict(model.named_parameters())
    assert torch.equal(weights["base_layer.1.weight"], torch.ones(8))
    deviation = float(weights["level5.tree1.conv2.weight"].detach().std())
    assert deviation == pytest.approx((2 / (16 * 9)) ** 0.5, rel=0.1)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="no block 'Basic'; there are " + ", ".join(BLOCKS)):
        DLA([1] * 6, [8] * 6, block="Basic")
    with pytest.raises(ValueError, match="six levels and six channels, not 5 and 6"):
        DLA([1] * 5, [8] * 6)
