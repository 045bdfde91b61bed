"""Training that starts from public weights and from files of other code bases."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from bdd100k_models import build_model, load_config
from bdd100k_models.cli.train import main as train
from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY
from bdd100k_models.weights import (
    read_checkpoint,
    start_from,
    start_from_public,
    stored_public,
)
from bdd100k_models.weights.starting import public_rows, rows_by_name
from bdd100k_models.zoo import catalogue, classes
from bdd100k_models.zoo.public import PublicSource

WEATHER = "resnet18_4x_weather_tag_bdd100k"
DET = "faster_rcnn_r50_fpn_1x_det_bdd100k"
TAGS = ["clear", "foggy", "overcast", "partly cloudy", "rainy", "snowy", "unknown"]


def public(name: str) -> PublicSource:
    source = catalogue.find(name).public
    assert source is not None
    return source


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (DET, [0, None, 2, 7, 5, 6, 3, 1, 9, 11]),
        ("mask_rcnn_r101_fpn_3x_ins_seg_bdd100k", [0, None, 2, 7, 5, 6, 3, 1]),
        ("mask_rcnn_r50_fpn_1x_ins_seg_bdd100k", list(range(8))),
        ("fcn_r50-d8_769x769_40k_sem_seg_bdd100k", list(range(19))),
        (
            "upernet_vit-b_512x1024_80k_sem_seg_bdd100k",
            [6, 11, 1, 0, 32, 93, 136, 43, 4, 9, 2, 12, None, 20, 83, 80, None, 116, 127],
        ),
        ("fcn_r50-d8_769x769_40k_drivable_bdd100k", [None, None, None]),
        (
            "res50_256x192_1x_pose_bdd100k",
            [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, None, None, None, None],
        ),
        ("cascade_rcnn_swin-t_fpn_3x_det_bdd100k", None),
        ("resnet34_4x_weather_tag_bdd100k", None),
    ],
)
def test_rows_of_the_classes(name: str, rows: list[int | None] | None) -> None:
    assert public_rows(public(name), catalogue.find(name).task) == rows


def test_rows_of_panoptic_segmentation() -> None:
    rows = public_rows(public("panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k"), "pan_seg")
    assert rows is not None
    assert rows[:10] == [0, None, 1, 5, 2, None, 3, None, 6, 7]
    found = {name: row for name, row in zip(classes.PAN_SEG[10:], rows[10:], strict=True)}
    assert {name: row - 80 for name, row in found.items() if row is not None} == {
        "rail track": 18,
        "road": 20,
        "sidewalk": 43,
        "bridge": 2,
        "building": 49,
        "fence": 37,
        "wall": 51,
        "banner": 0,
        "street light": 12,
        "terrain": 45,
        "vegetation": 36,
        "sky": 39,
    }


def test_rows_of_a_model_with_fewer_classes_in_another_order() -> None:
    assert public_rows(public(DET), "det", ("bicycle", "hovercraft", "car")) == [1, None, 2]


def test_rows_by_name() -> None:
    source = ("background", "person", "car", "car")
    assert rows_by_name(source, ("pedestrian", "car", "rider"), "det") == [1, 2, None]


def mini_source(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """The mini detector as a model of COCO would have it: its rows are those of 80 classes."""
    state = dict(read_checkpoint(REPOSITORY / "demo" / "models" / "det_mini.pth")["state_dict"])
    rows = public_rows(public(DET), "det")
    assert rows is not None
    generator = torch.Generator().manual_seed(0)
    head = "roi_head.bbox_head."
    for kind in ("weight", "bias"):
        own, boxes = (state[f"{head}{layer}.{kind}"].float() for layer in ("fc_cls", "fc_reg"))
        wide = torch.randn((81, *own.shape[1:]), generator=generator)
        wide_boxes = torch.randn((320, *boxes.shape[1:]), generator=generator)
        wide[80] = own[10]
        for i, row in enumerate(rows):
            if row is not None:
                wide[row] = own[i]
                wide_boxes[4 * row : 4 * row + 4] = boxes[4 * i : 4 * i + 4]
        state |= {f"{head}fc_cls.{kind}": wide, f"{head}fc_reg.{kind}": wide_boxes}
    torch.save({"state_dict": state, "meta": {}}, folder / "source.pth")
    return folder / "source.pth", state


def test_the_right_rows_arrive(tmp_path: Path) -> None:
    """A detector that begins with 80 classes is the one whose rows those are, but for rider."""
    path, _ = mini_source(tmp_path)
    cfg = load_config(REPOSITORY / "demo" / "models" / "det_mini.py")
    network = build_model(cfg)
    network.CLASSES = classes.DET  # type: ignore[assignment]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    said: list[str] = []
    source = replace(public(DET), sha256=None)
    start = start_from_public(network, path, source, "det", said.append)
    after = network.state_dict()
    expected = read_checkpoint(REPOSITORY / "demo" / "models" / "det_mini.pth")["state_dict"]
    head, rider = "roi_head.bbox_head.", classes.DET.index("rider")
    for key, value in after.items():
        their = expected[key].to(value.dtype)
        if key.startswith((head + "fc_cls", head + "fc_reg")):
            wide = 4 if "fc_reg" in key else 1
            fresh = torch.zeros(len(value), dtype=torch.bool)
            fresh[wide * rider : wide * (rider + 1)] = True
            assert torch.equal(value[~fresh], their[~fresh])
            assert torch.equal(value[fresh], before[key][fresh])
        else:
            assert torch.equal(value, their)
    assert len(start.selected) == 4
    assert said == [
        "source.pth: weights of MMDetection, trained on COCO, start the training; they are not the "
        "zoo's",
        "source.pth: taken: 126 tensors (backbone 100, neck.lateral_convs 8, "
        "neck.fpn_convs 8, rpn_head 6, roi_head.bbox_head 4)",
        "source.pth: selected by class: roi_head.bbox_head.fc_cls, roi_head.bbox_head.fc_reg "
        "(9 of 10 classes, fresh: rider)",
        "source.pth: fresh: nothing",
    ]


def test_nothing_fits(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.weight": torch.ones(2)}}, tmp_path / "x.pth")
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3)))
    with pytest.raises(UserError, match=r"no weight of .* the file has a\.weight, the model conv"):
        start_from_public(network, tmp_path / "x.pth", public(DET), "det")


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3)))
    state = {key: torch.full_like(value, torch.nan) for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="holds NaN"):
        start_from_public(network, tmp_path / "x.pth", public(DET), "det", lambda text: None)


def timm(path: Path, **facts: Any) -> nn.Module:
    torch.manual_seed(2)
    network = resnet18(num_classes=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": network.state_dict(), **facts}, path)
    return network


def test_a_training_run_starts_from_public_weights(
    tmp_path: Path, mini_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a learning rate of 0 the checkpoint shows what the run began with."""
    network = timm(stored_public(public(WEATHER)), class_names=TAGS, imgsz=224)
    argv = [WEATHER, "--data-root", str(mini_root), "--device", "cpu", "--limit-steps", "1"]
    argv += ["--work-dir", str(tmp_path / "work"), "--workers", "0", "--no-validate"]
    options = ["load_from=public", "optimizer.lr=0", "lr_config.warmup=None"]
    assert train([*argv, "--cfg-options", *options, "data.samples_per_gpu=2"]) == 0
    state = read_checkpoint(tmp_path / "work" / "latest.pth")["state_dict"]
    rows = [TAGS.index("unknown" if tag == "undefined" else tag) for tag in classes.WEATHER]
    assert torch.equal(state["head.fc.weight"], network.fc.weight[rows])
    assert torch.equal(state["head.fc.bias"], network.fc.bias[rows])
    assert torch.equal(state["backbone.layer4.1.conv2.weight"], network.layer4[1].conv2.weight)
    told = capsys.readouterr().err
    assert "weights of a ResNet of timm or torchvision" in told
    assert "selected by class: head.fc (7 of 7 classes)" in told
    assert "fresh: nothing" in told


def test_a_config_of_ones_own_names_a_model_like_it(
    tmp_path: Path, mini_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine.py"
    config.write_text(f'_base_ = "{REPOSITORY}/tagging/configs/weather/{WEATHER}.py"\n')
    argv = [str(config), "--data-root", str(mini_root), "--device", "cpu", "--no-validate"]
    argv += ["--work-dir", str(tmp_path / "work"), "--workers", "0", "--limit-steps", "1"]
    options = ["--cfg-options", "data.samples_per_gpu=2"]
    assert train([*argv, *options, "load_from=public"]) == 2
    told = capsys.readouterr().err
    assert "mine.py is not a published config" in told
    assert "load_from=public:NAME" in told
    assert train([*argv, *options, "load_from=public:resnet_18"]) == 2
    assert "no published model is named 'resnet_18'" in capsys.readouterr().err
    timm(stored_public(public(WEATHER)), class_names=TAGS)
    assert train([*argv, *options, f"load_from=public:{WEATHER}"]) == 0
    assert "selected by class: head.fc" in capsys.readouterr().err


def test_a_file_that_does_not_tell_its_classes_leaves_the_class_layer(tmp_path: Path) -> None:
    theirs = timm(tmp_path / "best.pt")
    network = build_model(load_config(WEATHER))
    before = network.head.fc.weight.clone()  # type: ignore[union-attr,operator]
    said: list[str] = []
    start_from(network, tmp_path / "best.pt", said.append, task="tagging")
    assert torch.equal(network.head.fc.weight, before)  # type: ignore[union-attr,arg-type]
    assert torch.equal(network.backbone.conv1.weight, theirs.conv1.weight)  # type: ignore[union-attr,arg-type]
    assert said[-2].endswith("fresh: 2 tensors (head 2)")
