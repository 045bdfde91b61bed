"""Which model a checkpoint is of, by its names and shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bdd100k_models import load_config
from bdd100k_models.cli import fingerprints as script
from bdd100k_models.engine.shapes import state_shapes
from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json
from bdd100k_models.weights import fingerprints, load_weights, start_from
from bdd100k_models.zoo import catalogue

DET = "faster_rcnn_r50_fpn_1x_det_bdd100k"


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    return state_shapes(load_config(DET))


def test_each_model_has_a_sketch() -> None:
    groups = read_json(fingerprints.FILE)
    assert sorted(name for group in groups for name in group["models"]) == sorted(
        catalogue.list_models()
    )
    assert all(20 < len(group["sketch"].split()) <= 48 for group in groups)


def test_a_model_is_nearest_to_itself(shapes: dict[str, tuple[int, ...]]) -> None:
    found = fingerprints.nearest(shapes)
    assert found is not None
    assert found.name == DET
    assert found.share == 1.0
    assert str(found) == (
        f"{DET} (and {found.others} more like it), with about 100% of names and shapes in common"
    )


def test_other_classes_are_near(shapes: dict[str, tuple[int, ...]]) -> None:
    changed = shapes | {"roi_head.bbox_head.fc_cls.weight": (81, 1024)}
    found = fingerprints.nearest(changed)
    assert found is not None
    assert found.name == DET
    assert found.share > 0.9


def test_a_prefix_is_not(shapes: dict[str, tuple[int, ...]]) -> None:
    assert fingerprints.nearest({f"net.{key}": shape for key, shape in shapes.items()}) is None
    assert fingerprints.nearest({}) is None


def test_weights_that_do_not_fit_are_told_their_model(
    shapes: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    torch.save({key: torch.zeros(shape) for key, shape in shapes.items()}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=rf"missing: weight.*; nearest of the zoo is {DET}"):
        load_weights(nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(UserError, match=rf"the model weight; nearest of the zoo is {DET} .*; name"):
        start_from(nn.Linear(2, 2), tmp_path / "x.pth")


@pytest.mark.slow
def test_sketches_are_those_of_the_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--check"]) == 0
    assert capsys.readouterr().out.endswith("is right\n")
