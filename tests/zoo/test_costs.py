"""Costs go into a metafile, and nothing else of it changes."""

from pathlib import Path

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.zoo import catalogue, costs
from bdd100k_models.zoo.catalogue import Cost

METAFILE = """\
Collections:
  - Name: M  # a method
    Paper: {Title: T, URL: "https://a.org", Venue: V}
Models:
  - Name: x
    In Collection: M
    Config: det/configs/det/x.py
    Results:
      - Metrics:
          Box AP-val: 32.30  # as published
%s    Weights: https://a.org/x.pth

  - Name: xy
    In Collection: M
    Config: det/configs/det/xy.py
"""
COST = """\
    Cost:
      Parameters: 41394306
      GFLOPs: 381.22
      Input: 736x1280
"""


@pytest.fixture
def metafile(tmp_path: Path) -> Path:
    path = tmp_path / "det" / "metafile.yml"
    path.parent.mkdir()
    path.write_text(METAFILE % "")
    return path


def test_written_read_and_written_again(metafile: Path) -> None:
    cost = Cost(41394306, 381.22, (736, 1280))
    assert costs.write(metafile, {"x": cost})
    assert metafile.read_text() == METAFILE % COST
    assert [model.cost for model in catalogue.load_metafile(metafile)] == [cost, None]
    assert not costs.write(metafile, {"x": cost})
    assert costs.write(metafile, {"x": Cost(1, 2.5, (3, 4))})
    new = COST.replace("41394306", "1").replace("381.22", "2.5").replace("736x1280", "3x4")
    assert metafile.read_text() == METAFILE % new


def test_an_entry_without_results_at_the_end(metafile: Path) -> None:
    assert costs.write(metafile, {"xy": Cost(1, 2.0, (3, 4))})
    by_name = {model.name: model.cost for model in catalogue.load_metafile(metafile)}
    assert by_name == {"x": None, "xy": Cost(1, 2.0, (3, 4))}


def test_no_such_entry(metafile: Path) -> None:
    with pytest.raises(UserError, match="has no entry named 'z'"):
        costs.write(metafile, {"z": Cost(1, 2.0, (3, 4))})
