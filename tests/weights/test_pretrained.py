"""Where pretrained backbones are looked for. Nothing here touches the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from bdd100k_models import load_config
from bdd100k_models.engine.model import without_pretrained
from bdd100k_models.errors import UserError
from bdd100k_models.weights import MIRRORS_VARIABLE, NotFoundError, pretrained
from bdd100k_models.weights.transfer import fetch

if TYPE_CHECKING:
    from tests.loopback import Server

#: A name without digits of its SHA-256, so that any content will do.
RESNET50 = "resnet50.pth"
URL = f"https://weights.example/{RESNET50}"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network; gives the URLs that were asked for."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    asked: list[str] = []

    def refuse(url: str, target: Path, report: Any = print, **options: Any) -> Path:
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
    assert pretrained.find(URL, report=lambda text: None) == stored
    assert offline == []


def test_what_torch_has_downloaded_is_used(tmp_path: Path, offline: list[str]) -> None:
    known = put(tmp_path / "hub" / "checkpoints" / RESNET50)
    assert pretrained.find(URL, report=lambda text: None) == known
    assert offline == []


def test_a_mirror_may_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: list[str]
) -> None:
    monkeypatch.setenv(MIRRORS_VARIABLE, f"{tmp_path}/mirror https://mirror.example")
    there = put(tmp_path / "mirror" / "pretrained" / RESNET50)
    assert pretrained.find(URL, report=lambda text: None) == there
    assert offline == []


def test_mirrors_are_asked_before_the_url(
    monkeypatch: pytest.MonkeyPatch, offline: list[str]
) -> None:
    monkeypatch.setenv(MIRRORS_VARIABLE, "https://mirror.example/")
    with pytest.raises(UserError):
        pretrained.find(URL)
    assert offline == [
        f"https://mirror.example/pretrained/{RESNET50}",
        URL,
    ]


def test_found_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        pretrained.find(URL)
    message = str(caught.value)
    assert "\n" not in message
    assert f"no pretrained weights {URL}" in message
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


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    stored = put(tmp_path / "store" / "pretrained" / "resnet50-0676ba61.pth")
    with pytest.raises(UserError) as caught:
        pretrained.find("torchvision://resnet50")
    digest = hashlib.sha256(stored.read_bytes()).hexdigest()
    assert f"{stored} is damaged or another file: its SHA-256 begins with {digest[:8]}" in str(
        caught.value
    )
    assert "its name says 0676ba61" in str(caught.value)
    assert stored.is_file()


@pytest.mark.parametrize("digits", [8, 10, 64])
def test_a_file_that_is_what_its_name_says(tmp_path: Path, digits: int) -> None:
    path = put(tmp_path / "x.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    named = path.rename(tmp_path / f"x-{digest[:digits]}.pth")
    assert pretrained.find(str(named)) == named


def test_a_date_is_no_digest(tmp_path: Path) -> None:
    path = put(tmp_path / "mine-20200708.pth")
    assert pretrained.find(str(path)) == path


def test_what_a_server_sends_is_looked_at(
    server: Server, own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "fetch", fetch)
    good = put(tmp_path / "good.pth").read_bytes()
    digest = hashlib.sha256(good).hexdigest()[:8]
    for name, content in (
        ("a-00000000.pth", good),
        ("b.pth", b"<html>"),
        (f"c-{digest}.pth", good),
    ):
        server.put(name, content, md5=None)
    with pytest.raises(UserError, match=r"a-00000000\.pth.* its name says 00000000"):
        pretrained.find(f"{server.url}/a-00000000.pth", report=lambda text: None)
    with pytest.raises(UserError, match=r"b\.pth is a web page"):
        pretrained.find(f"{server.url}/b.pth", report=lambda text: None)
    found = pretrained.find(f"{server.url}/c-{digest}.pth", report=lambda text: None)
    assert found == own_store / "pretrained" / f"c-{digest}.pth"
    kept = sorted(path.name for path in found.parent.iterdir())
    assert kept == [f"c-{digest}.md5", f"c-{digest}.pth"]


def test_a_classifier_gives_its_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmcv.runner.checkpoint.get_mmcls_models", lambda: {"mobilenet_v2": URL})
    state = {"backbone.conv1.weight": torch.ones(2), "head.fc.weight": torch.zeros(1)}
    put(tmp_path / "store" / "pretrained" / RESNET50, state)
    path = pretrained.find("mmcls://mobilenet_v2", report=lambda text: None)
    assert list(torch.load(path, weights_only=True)["state_dict"]) == ["conv1.weight"]
    kept = sorted(item.name for item in path.parent.iterdir())
    assert kept == ["resnet50-backbone.pth", "resnet50.pth"]


def test_localize_replaces_every_reference(tmp_path: Path) -> None:
    stored = str(put(tmp_path / "store" / "pretrained" / RESNET50))
    model = {
        "pretrained": URL,
        "backbone": {
            "pretrained": None,
            "init_cfg": {"type": "Pretrained", "checkpoint": URL},
        },
        "heads": [{"init_cfg": [{"type": "Normal"}, {"checkpoint": URL}]}],
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
    put(tmp_path / "store" / "pretrained" / RESNET50, state)
    model = {"init_cfg": {"type": "Pretrained", "checkpoint": URL}}
    pretrained.localize(model, report=lambda text: None)
    backbone = ResNet(18, init_cfg=model["init_cfg"])
    backbone.init_weights()
    assert bool((backbone.conv1.weight == 0.5).all())
