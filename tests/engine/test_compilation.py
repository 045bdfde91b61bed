"""Compiling a backbone: the same keys and results, and a clear word where it cannot be done."""

import shutil

import pytest
import torch
from torch import nn

from bdd100k_models.engine.compilation import compile_backbone
from bdd100k_models.errors import UserError

CPU = torch.device("cpu")


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.backbone(image).mean(dim=(2, 3))
        return out


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_results_and_keys_stay() -> None:
    model = Model().eval()
    image = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        expected = model(image)
        keys = list(model.state_dict())
        compile_backbone(model, CPU)
        torch.testing.assert_close(model(image), expected)
    assert list(model.state_dict()) == keys


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        UserError, match=r"needs a C\+\+ compiler, and there is no no-such-compiler"
    ):
        compile_backbone(Model(), CPU)


def test_no_backbone() -> None:
    with pytest.raises(UserError, match="no backbone"):
        compile_backbone(nn.Linear(1, 1), CPU)
