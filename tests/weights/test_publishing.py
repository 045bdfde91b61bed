"""Checkpoints made ready for others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from bdd100k_models.cli import publish_model
from bdd100k_models.errors import UserError
from bdd100k_models.weights import publishing
from bdd100k_models.weights import store as checkpoint


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    path = tmp_path / "epoch_2.pth"
    content = {
        "meta": {
            "CLASSES": ["car"],
            "exp_name": "my_model.py",
            "config": "model = dict()",
            "iter": 6,
            "hook_msgs": {"best_score": 1.0},
            "host": "somewhere",
        },
        "state_dict": {"head.weight": torch.arange(6.0).reshape(2, 3).t()},
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(1000)}}},
    }
    torch.save(content, path)
    return path


def test_publish_strips_names_and_signs(trained: Path, tmp_path: Path) -> None:
    published = publishing.publish(trained, tmp_path / "out")
    digest = hashlib.sha256(published.path.read_bytes()).hexdigest()
    assert published.path == tmp_path / "out" / f"my_model-{digest[:8]}.pth"
    assert published.md5 == hashlib.md5(published.path.read_bytes()).hexdigest()
    assert published.path.with_suffix(".md5").read_text() == published.md5 + "\n"
    assert checkpoint.verify(published.path)
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".md5", ".pth"]

    content = torch.load(published.path, weights_only=True)
    assert set(content) == {"meta", "state_dict"}
    assert content["meta"] == {
        "CLASSES": ["car"],
        "exp_name": "my_model.py",
        "config": "model = dict()",
        "iter": 6,
    }
    assert torch.equal(content["state_dict"]["head.weight"], torch.arange(6.0).reshape(2, 3).t())


def test_out_may_give_the_name(trained: Path, tmp_path: Path) -> None:
    published = publishing.publish(trained, tmp_path / "out" / "better.pth")
    assert published.name == "better"
    assert published.path.name.startswith("better-")


def test_the_script_prints_the_entry(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish_model.main([str(trained), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    path = next((tmp_path / "out").glob("*.pth"))
    assert f"Weights: https://…/{path.name}" in printed
    assert f"MD5: {checkpoint.md5(path)}" in printed
    assert "- Name: my_model" in printed


def test_mistakes_are_told(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        publishing.publish(tmp_path / "nothing.pth", tmp_path)
    nameless = tmp_path / "nameless.pth"
    torch.save({"state_dict": {"a": torch.ones(1)}}, nameless)
    with pytest.raises(UserError, match=r"pass OUT as FOLDER/NAME\.pth"):
        publishing.publish(nameless, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        publishing.publish(trained, tmp_path / "file" / "out")


def test_half_keeps_vectors_and_loads_back_as_float32(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    source = tmp_path / "x.pth"
    torch.save({"meta": {"exp_name": "x.py"}, "state_dict": network.state_dict()}, source)
    published = publishing.publish(source, tmp_path / "out", half=True)
    stored = checkpoint.read_checkpoint(published.path)["state_dict"]
    assert stored["0.weight"].dtype == torch.float16
    assert stored["0.bias"].dtype == stored["1.running_var"].dtype == torch.float32
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    checkpoint.load_weights(other, published.path)
    assert other[0].weight.dtype == torch.float32
    assert torch.equal(other[0].weight, network[0].weight.half().float())
