"""Number formats: in backbone and neck alone, and back to float32 for the heads."""

import pytest
import torch
from mmcv import Config
from mmcv.cnn import ConvModule
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


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvModule(3, 4, 3)
        self.shared_fcs = nn.ModuleList([nn.Linear(4, 4)])
        self.fc_cls = nn.Linear(4, 2)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = Head()

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        hidden = self.head.conv(value).mean(dim=(2, 3))
        out: torch.Tensor = self.head.fc_cls(self.head.shared_fcs[0](hidden))
        return out


def test_hidden_layers_of_heads_on_a_cpu() -> None:
    """They compute in bf16 and give float32; the classifier computes in float32."""
    torch.manual_seed(0)
    model = Detector()
    formats: dict[str, list[torch.dtype]] = {"hidden": [], "last": []}
    model.head.conv.conv.register_forward_hook(
        lambda *call: formats["hidden"].append(call[2].dtype)
    )
    model.head.fc_cls.register_forward_hook(
        lambda *call: formats["last"].extend([call[1][0].dtype, call[2].dtype])
    )
    value = torch.randn(1, 3, 8, 8)
    exact = model(value)
    apply_precision(model, Config(), "bf16", CPU)
    torch.testing.assert_close(model(value), exact, atol=0.02, rtol=0.02)
    assert formats["hidden"] == [torch.float32, torch.bfloat16]
    assert formats["last"] == [torch.float32] * 4


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
