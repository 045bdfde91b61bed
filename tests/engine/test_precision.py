"""Number formats: in backbone and neck alone, and back to float32 for the heads."""

import pytest
import torch
from mmcv import Config
from torch import nn

from bdd100k_models.engine.precision import apply_precision, to_float32

CPU = torch.device("cpu")


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)
        self.seen: list[torch.dtype] = []

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        features = self.backbone(value)
        self.seen.append(features.dtype)
        out: torch.Tensor = self.head(features)
        return out


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_heads_get_float32(precision: str) -> None:
    torch.manual_seed(0)
    model = Model()
    value = torch.randn(3, 4)
    exact = model(value)
    apply_precision(model, Config(), precision, CPU)
    result = model(value)
    assert result.dtype == torch.float32 and model.seen == [torch.float32] * 2
    assert not torch.equal(result, exact)
    torch.testing.assert_close(result, exact, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_cpu_computes_in_float32_as_published(precision: str) -> None:
    model = Model()
    value = torch.randn(3, 4)
    exact = model(value)
    apply_precision(model, Config(dict(fp16=dict(loss_scale=512.0))), precision, CPU)
    assert torch.equal(model(value), exact)


def test_to_float32_keeps_the_nest() -> None:
    half, whole = torch.zeros(1, dtype=torch.float16), torch.zeros(1, dtype=torch.int64)
    nest = to_float32({"a": (half, [whole]), "b": "x"})
    assert nest["a"][0].dtype == torch.float32
    assert nest["a"][1][0].dtype == torch.int64
    assert isinstance(nest["a"], tuple) and nest["b"] == "x"
