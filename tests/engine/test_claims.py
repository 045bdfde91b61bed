"""Configs and checkpoints that do not bear out what an entry says of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import torch

from bdd100k_models import weights
from bdd100k_models.engine import claims
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import PublishedModel

NAME = "retinanet_r50_fpn_1x_det_bdd100k"
CONFIG = f"det/configs/det/{NAME}.py"
CHECKPOINT = REPOSITORY / "demo" / "models" / "det_mini.pth"


@pytest.fixture
def model() -> PublishedModel:
    return catalogue.find(NAME)


def config(root: Path, base: str, text: str = "") -> Path:
    """A repository whose config of the model is another one, with changes."""
    path = root / CONFIG
    path.parent.mkdir(parents=True)
    path.write_text(f"_base_ = {str(REPOSITORY / base)!r}\n{text}")
    return root


def columns(model: PublishedModel, **changed: str) -> PublishedModel:
    table = {**model.columns, **{key.replace("_", " "): value for key, value in changed.items()}}
    return replace(model, columns=MappingProxyType(table))


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        "sparse_rcnn_r50_fpn_1x_det_bdd100k",
        "mask_rcnn_r50_fpn_1x_32bs_ins_seg_bdd100k",
        "resnet18_4x_weather_tag_bdd100k",
        "hrnet_w32_256x192_1x_pose_bdd100k",
        "fpn_r50_512x1024_40k_drivable_bdd100k",
        "qdtrack-frcnn_r50_fpn_12e_mot_bdd100k",
    ],
)
def test_published_models_are_what_is_told_of_them(name: str) -> None:
    assert claims.config_problems(catalogue.find(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", catalogue.list_models())
def test_all_published_models_are_what_is_told_of_them(name: str) -> None:
    assert claims.config_problems(catalogue.find(name)) == []


@pytest.mark.parametrize(
    ("base", "text", "problem"),
    [
        ("nowhere.py", "", "Config: config .* cannot be read"),
        (CONFIG, "model = dict(type='NoSuch')", "model cannot be built"),
        (CONFIG, "this is no Python", "Config: config .* cannot be read"),
        (
            CONFIG,
            "model = dict(bbox_head=dict(num_classes=80))",
            "names 10 classes .*, the network's head has 80",
        ),
        (
            CONFIG,
            "data = dict(test=dict(classes=['car', 'bus']))\n"
            "model = dict(bbox_head=dict(num_classes=2))",
            "has the classes car, bus; those of det are pedestrian, rider",
        ),
        (
            "sem_seg/configs/sem_seg/fpn_r50_512x1024_40k_sem_seg_bdd100k.py",
            "",
            "is one of sem_seg, not of det",
        ),
    ],
)
def test_a_config_that_is_wrong(
    model: PublishedModel, tmp_path: Path, base: str, text: str, problem: str
) -> None:
    (found,) = claims.config_problems(replace(model, cost=None), config(tmp_path, base, text))
    assert re.search(problem, found), found


@pytest.mark.parametrize(
    ("name", "changed", "problem"),
    [
        (NAME, {"Backbone": "R-101-FPN"}, "Backbone is R-101-FPN, the config says R-50-FPN"),
        (NAME, {"Lr_schd": "3x"}, "Lr schd is 3x, the config says 1x"),
        ("sparse_rcnn_r50_fpn_1x_det_bdd100k", {"Proposals": "300"}, "the config says 100"),
        ("mask_rcnn_r50_fpn_1x_ins_seg_bdd100k", {"Batch_Size": "32"}, "the config says 16"),
        ("hrnet_w32_256x192_1x_pose_bdd100k", {"Backbone": "HRNet-w48"}, "config says HRNet-w32"),
        ("hrnet_w32_256x192_1x_pose_bdd100k", {"Input_Size": "1x2"}, "config says 256x192"),
        ("fpn_r50_512x1024_40k_drivable_bdd100k", {"Iters": "80K"}, "the config says 40K"),
        ("fpn_r50_512x1024_40k_drivable_bdd100k", {"Input": "769x769"}, "config says 512x1024"),
    ],
)
def test_statements_that_contradict_the_config(
    name: str, changed: dict[str, str], problem: str
) -> None:
    (found,) = claims.config_problems(columns(catalogue.find(name), **changed))
    assert found.endswith(problem)


def test_another_cost(model: PublishedModel) -> None:
    assert model.cost is not None
    wrong = replace(model, cost=replace(model.cost, parameters=1))
    (found,) = claims.config_problems(wrong)
    assert found.startswith("Cost: 1 parameters and") and f"--costs {NAME}" in found


class TestCheckpoint:
    """A contributed checkpoint is loaded into the network of its config."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return config(tmp_path, "demo/models/det_mini.py")

    def test_fits(self, model: PublishedModel, root: Path) -> None:
        own = replace(model, md5=weights.md5(CHECKPOINT))
        assert claims.checkpoint_problems(own, CHECKPOINT, root) == []

    def test_another_md5(self, model: PublishedModel, root: Path) -> None:
        own = replace(model, md5="0" * 32)
        (found,) = claims.checkpoint_problems(own, CHECKPOINT, root)
        assert found.startswith(f"MD5: {'0' * 32} is told, {CHECKPOINT} has ")

    def test_weights_that_are_missing(
        self, model: PublishedModel, root: Path, tmp_path: Path
    ) -> None:
        content = weights.read_checkpoint(CHECKPOINT)
        state = dict(content["state_dict"])
        del state["backbone.conv1.weight"]
        path = tmp_path / "less.pth"
        torch.save({"state_dict": state, "meta": content["meta"]}, path)
        (found,) = claims.checkpoint_problems(replace(model, md5=None), path, root)
        assert "missing: backbone.conv1.weight" in found

    def test_no_such_file(self, model: PublishedModel, root: Path, tmp_path: Path) -> None:
        (found,) = claims.checkpoint_problems(model, tmp_path / "no.pth", root)
        assert found == f"Weights: cannot read {tmp_path / 'no.pth'}: No such file or directory"
