"""A config by path and by published name, and the model that a file was published for."""

from pathlib import Path

import pytest

from bdd100k_models.files import REPOSITORY
from bdd100k_models.zoo import configs

NAME = "faster_rcnn_r50_fpn_1x_det_bdd100k"
PATH = REPOSITORY / "det" / "configs" / "det" / f"{NAME}.py"


def test_same_config_by_name_and_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert configs.find_config(NAME) == PATH
    assert configs.find_config(PATH) == PATH
    monkeypatch.chdir(tmp_path)
    assert configs.find_config(f"det/configs/det/{NAME}.py") == PATH


def test_a_published_file_knows_its_model_and_a_copy_does_not(tmp_path: Path) -> None:
    model = configs.published_model(PATH)
    assert model is not None and model.name == NAME
    copy = tmp_path / PATH.name
    copy.write_text("")
    assert configs.published_model(copy) is None
    assert configs.published_model(tmp_path / "my_config.py") is None
