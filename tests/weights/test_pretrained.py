"""Where pretrained backbones are looked for. Nothing here touches the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bdd100k_models import load_config
from bdd100k_models.engine.model import without_pretrained
from bdd100k_models.errors import UserError
from bdd100k_models.weights import pretrained
from bdd100k_models.weights import store as checkpoint
from bdd100k_models.weights.store import NotFoundError

RESNET50 = "resnet50-0676ba61.pth"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty store and no network; gives the URLs that were asked for."""
    monkeypatch.setenv(checkpoint.STORE_VARIABLE, str(tmp_path / "store"))
    monkeypatch.delenv(checkpoint.MIRRORS_VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    asked: list[str] = []

    def refuse(url: str, target: Path, report: Any = print) -> Path:
        asked.append(url)
        raise NotFoundError(f"{url}: no answer from the server")

    monkeypatch.setattr(pretrained, "fetch", refuse)
    return asked


def put(path: Path, state: dict[str, torch.Tensor] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state or {"conv1.weight": torch.ones(1)}}, path)
    return path


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("torchvision://resnet50", "/resnet50-0676ba61.pth"),
        ("torchvision://ResNet50_Weights.IMAGENET1K_V1", "/resnet50-0676ba61.pth"),
        ("open-mmlab://resnet50_v1c", "/resnet50_v1c-2cccc1ad.pth"),
        ("open-mmlab://msra/hrnetv2_w18", "/hrnetv2_w18-00eb2006.pth"),
        ("mmcls://mobilenet_v2", "/mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth"),
        ("https://example.org/a/b.pth", "https://example.org/a/b.pth"),
    ],
)
def test_names_stand_for_urls(name: str, end: str) -> None:
    url = pretrained.resolve(name)
    assert url is not None
    assert url.startswith("https://")
    assert url.endswith(end)


def test_a_path_has_no_url() -> None:
    assert pretrained.resolve("pretrain/vit_base_patch16_224.pth") is None


@pytest.mark.parametrize(
    "name", ["torchvision://resnet51", "open-mmlab://nothing", "s3://bucket/x"]
)
def test_unknown_names_are_told(name: str) -> None:
    with pytest.raises(UserError, match=r"known for|not supported"):
        pretrained.resolve(name)


def test_the_store_comes_first(tmp_path: Path, offline: list[str]) -> None:
    put(tmp_path / "hub" / "checkpoints" / RESNET50)
    stored = put(tmp_path / "store" / "pretrained" / RESNET50)
    assert pretrained.find("torchvision://resnet50", report=lambda text: None) == stored
    assert offline == []


def test_what_torch_has_downloaded_is_used(tmp_path: Path, offline: list[str]) -> None:
    known = put(tmp_path / "hub" / "checkpoints" / RESNET50)
    assert pretrained.find("torchvision://resnet50", report=lambda text: None) == known
    assert offline == []


def test_a_mirror_may_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: list[str]
) -> None:
    monkeypatch.setenv(checkpoint.MIRRORS_VARIABLE, f"{tmp_path}/mirror https://mirror.example")
    there = put(tmp_path / "mirror" / "pretrained" / RESNET50)
    assert pretrained.find("torchvision://resnet50", report=lambda text: None) == there
    assert offline == []


def test_mirrors_are_asked_before_the_url(
    monkeypatch: pytest.MonkeyPatch, offline: list[str]
) -> None:
    monkeypatch.setenv(checkpoint.MIRRORS_VARIABLE, "https://mirror.example/")
    with pytest.raises(UserError):
        pretrained.find("torchvision://resnet50")
    assert offline == [
        f"https://mirror.example/pretrained/{RESNET50}",
        f"https://download.pytorch.org/models/{RESNET50}",
    ]


def test_found_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        pretrained.find("torchvision://resnet50")
    message = str(caught.value)
    assert "\n" not in message
    assert "torchvision://resnet50" in message
    assert f"put the file at {tmp_path}/store/pretrained/{RESNET50}" in message
    assert "no answer from the server" in message
    assert "--no-pretrained" in message


def test_a_relative_path_is_looked_for_in_the_store_too(tmp_path: Path, offline: list[str]) -> None:
    name = "pretrain/vit_base_patch16_224.pth"
    with pytest.raises(UserError, match="vit_base_patch16_224"):
        pretrained.find(name)
    stored = put(tmp_path / "store" / "pretrained" / "vit_base_patch16_224.pth")
    assert pretrained.find(name) == stored
    assert offline == []


def test_a_name_that_does_not_match_its_content_is_reported(tmp_path: Path) -> None:
    put(tmp_path / "store" / "pretrained" / RESNET50)
    lines: list[str] = []
    pretrained.find("torchvision://resnet50", report=lines.append)
    assert len(lines) == 1
    assert "may be damaged" in lines[0]


def test_a_classifier_gives_its_backbone(tmp_path: Path) -> None:
    state = {"backbone.conv1.weight": torch.ones(2), "head.fc.weight": torch.zeros(1)}
    put(
        tmp_path / "store" / "pretrained" / "mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth",
        state,
    )
    path = pretrained.find("mmcls://mobilenet_v2", report=lambda text: None)
    assert list(torch.load(path, weights_only=True)["state_dict"]) == ["conv1.weight"]


def test_localize_replaces_every_reference(tmp_path: Path) -> None:
    stored = str(put(tmp_path / "store" / "pretrained" / RESNET50))
    model = {
        "pretrained": "torchvision://resnet50",
        "backbone": {
            "pretrained": None,
            "init_cfg": {"type": "Pretrained", "checkpoint": "torchvision://resnet50"},
        },
        "heads": [{"init_cfg": [{"type": "Normal"}, {"checkpoint": "torchvision://resnet50"}]}],
    }
    pretrained.localize(model, report=lambda text: None)
    assert model["pretrained"] == stored
    assert model["backbone"]["init_cfg"]["checkpoint"] == stored  # type: ignore[index]
    assert model["heads"][0]["init_cfg"][1]["checkpoint"] == stored  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    [
        "faster_rcnn_r50_fpn_1x_det_bdd100k",
        "retinanet_pvt-t_fpn_1x_det_bdd100k",
        "pspnet_r50-d8_512x1024_40k_sem_seg_bdd100k",
        "mobilenetv2_256x192_1x_pose_bdd100k",
        "upernet_vit-b_512x1024_80k_sem_seg_bdd100k",
    ],
)
def test_nothing_is_left_to_fetch_without_pretrained(name: str, offline: list[str]) -> None:
    model = load_config(name).model
    assert list(pretrained.references(model))
    without_pretrained(model)
    assert list(pretrained.references(model)) == []
    pretrained.localize(model)
    assert offline == []


def test_a_backbone_takes_the_weights(tmp_path: Path) -> None:
    from mmdet.models import ResNet

    state = {k: torch.full_like(v, 0.5) for k, v in ResNet(18).state_dict().items()}
    put(tmp_path / "store" / "pretrained" / "resnet18-f37072fd.pth", state)
    model = {"init_cfg": {"type": "Pretrained", "checkpoint": "torchvision://resnet18.default"}}
    pretrained.localize(model, report=lambda text: None)
    backbone = ResNet(18, init_cfg=model["init_cfg"])
    backbone.init_weights()
    assert bool((backbone.conv1.weight == 0.5).all())
