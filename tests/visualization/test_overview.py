"""The models of a task in a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bdd100k_models.cli import list_models
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.visualization import overview
from bdd100k_models.visualization.overview import Point
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.tasks import TASKS


def of(task: str) -> list[catalogue.PublishedModel]:
    return [model for model in catalogue.catalogue().values() if model.task == task]


def test_points_of_a_table() -> None:
    (key, *_), *rest = overview.points(of("pan_seg")).items()
    assert (key, rest) == (("", "PQ-val"), [])
    (first, *_) = overview.points(of("pan_seg"))[key]
    name = "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k"
    assert first == Point("Panoptic FPN", name, 21.52, 45647403, 540.74)
    assert list(overview.points(of("tagging"))) == [("weather", "Acc-val"), ("scene", "Acc-val")]
    assert {column for _, column in overview.points(of("ins_seg"))} == {"Mask AP-val"}


def test_every_point_and_method_is_drawn(tmp_path: Path) -> None:
    models = of("det")
    drawn = [model for model in models if model.cost is not None]
    text = overview.plot(models, tmp_path / "det.svg").read_text()
    scatters = re.findall(r'<g id="PathCollection_\d+">.*?</g>\n *</g>', text, re.DOTALL)
    uses = sum(scatter.count("<use") for scatter in scatters)
    assert uses >= 2 * len(drawn)
    for label in {model.method for model in drawn} | {"Box AP-val", "GFLOPs for one input"}:
        assert f">{label}</text>" in text
    assert overview.plot(models, tmp_path / "again.svg").read_text() == text


def test_a_picture_is_stale_when_a_figure_changes(tmp_path: Path) -> None:
    models = of("pan_seg")
    path = tmp_path / "overview.svg"
    assert overview.stale(path, models)
    overview.plot(models, path)
    assert not overview.stale(path, models)
    cost = models[0].cost
    assert cost is not None
    assert overview.stale(path, [replace(models[0], cost=replace(cost, gflops=1.0)), *models[1:]])


@pytest.mark.parametrize("task", TASKS)
def test_pictures_of_the_readmes_are_up_to_date(task: str) -> None:
    picture = overview.picture(task, REPOSITORY)
    readme = (REPOSITORY / task / "README.md").read_text(encoding="utf-8")
    assert ("](overview.svg)" in readme) == (picture is not None) == (task not in ("mot", "mots"))
    assert picture is None or not overview.stale(*picture), "run python tools/model_card.py"


def test_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pose.png"
    assert list_models.main(["--task", "pose", "--plot", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    with Image.open(path) as image:
        assert image.size[0] == 1200


@pytest.mark.parametrize(
    ("argv", "name", "message"),
    [
        ([], "x.svg", "scores of tagging, det, .* cannot be compared; plot one task, --task"),
        (["--task", "pose"], "x.gif", r"a plot must end in \.svg, \.png, \.pdf"),
        (["faster_rcnn_r50_1x_bdd100k"], "x.svg", "none of the models has a score and a cost"),
    ],
)
def test_what_cannot_be_plotted(tmp_path: Path, argv: list[str], name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list_models.main([*argv, "--plot", str(tmp_path / name)])
    assert not list(tmp_path.iterdir())
