"""Checkpoints made ready for others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import detection

from bdd100k_models import weights
from bdd100k_models.cli import publish_model
from bdd100k_models.errors import UserError
from bdd100k_models.weights import publishing
from bdd100k_models.zoo import classes


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
    assert weights.verify(published.path)
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
    assert f"MD5: {weights.md5(path)}" in printed
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


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_not_published(tmp_path: Path, value: float) -> None:
    source = tmp_path / "x.pth"
    state = {"a.weight": torch.ones(3), "head.bias": torch.tensor([1.0, value])}
    torch.save({"meta": {"exp_name": "x.py"}, "state_dict": state}, source)
    with pytest.raises(UserError, match=r"refused: head\.bias holds NaN or infinity in 1 of 2"):
        publishing.publish(source, tmp_path / "out")
    state["head.bias"] = torch.arange(2)
    torch.save({"meta": {"exp_name": "x.py"}, "state_dict": state}, source)
    with pytest.raises(UserError, match=r"refused: head\.bias holds int64"):
        publishing.publish(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_half_refuses_numbers_that_it_cannot_hold(tmp_path: Path) -> None:
    source = tmp_path / "x.pth"
    state = {"head.weight": torch.full((2, 2), 70000.0)}
    torch.save({"meta": {"exp_name": "x.py"}, "state_dict": state}, source)
    with pytest.raises(UserError, match=r"--half: head\.weight holds numbers beyond"):
        publishing.publish(source, tmp_path / "out", half=True)
    publishing.publish(source, tmp_path / "out")


def test_equal_weights_give_equal_files(trained: Path, tmp_path: Path) -> None:
    first, second = (publishing.publish(trained, tmp_path / name) for name in "ab")
    assert first.path.name == second.path.name and first.md5 == second.md5


def test_half_keeps_vectors_and_loads_back_as_float32(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    source = tmp_path / "x.pth"
    torch.save({"meta": {"exp_name": "x.py"}, "state_dict": network.state_dict()}, source)
    published = publishing.publish(source, tmp_path / "out", half=True)
    stored = weights.read_checkpoint(published.path)["state_dict"]
    assert stored["0.weight"].dtype == torch.float16
    assert stored["0.bias"].dtype == stored["1.running_var"].dtype == torch.float32
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    weights.load_weights(other, published.path)
    assert other[0].weight.dtype == torch.float32
    assert torch.equal(other[0].weight, network[0].weight.half().float())


def test_weights_of_vis4d_get_our_names(tmp_path: Path) -> None:
    names = {"fc_cls.weight": (11, 2), "fc_cls.bias": (11,), "fc_reg.weight": (40, 2)}
    state = {f"model.faster_rcnn_head.roi_head.{k}": torch.ones(v) for k, v in names.items()}
    state["model.fpn.inner_blocks.0.0.bias"] = torch.ones(2)
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "last.ckpt")
    published = publishing.publish(tmp_path / "last.ckpt", tmp_path / "out" / "mine.pth")
    content = torch.load(published.path, weights_only=True)
    assert content["meta"]["CLASSES"] == list(classes.DET)
    assert set(content["state_dict"]) == {
        "neck.lateral_convs.0.conv.bias",
        *(f"roi_head.bbox_head.{name}" for name in names),
    }


def test_weights_that_compute_otherwise_are_not_published(tmp_path: Path) -> None:
    state = detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    torch.save(state, tmp_path / "tv.pth")
    with pytest.raises(UserError, match="torchvision's Faster R-CNN, which compute otherwise"):
        publishing.publish(tmp_path / "tv.pth", tmp_path / "out" / "mine.pth")
