"""Configs as standalone files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmcv import Config

from bdd100k_models import list_models
from bdd100k_models.config import read_config
from bdd100k_models.config.text import standalone_text
from bdd100k_models.errors import UserError
from bdd100k_models.tasks import TASK_NAMES


def loaded_back(text: str, folder: Path) -> Any:
    path = folder / "standalone.py"
    path.write_text(text)
    return Config.fromfile(str(path))._cfg_dict


@pytest.mark.parametrize("task", TASK_NAMES)
def test_published_configs_load_back_equal(task: str, tmp_path: Path) -> None:
    for name in list_models(task)[::9]:
        cfg = read_config(name)
        text = standalone_text(cfg)
        assert "\n_base_ =" not in "\n" + text
        assert max(len(line) for line in text.splitlines()) <= 200
        assert loaded_back(text, tmp_path) == cfg._cfg_dict, name


def test_values_of_all_kinds_load_back(tmp_path: Path) -> None:
    cfg = Config(
        {
            "a": {"type": "X", "one": (1,), "none": None, "empty": {}, "list": [], "tuple": ()},
            "b": {"2d": {"class": 1}, "with space": 'it\'s "so" \\ \n'},
            "c": [float("inf"), -float("inf"), 1e-6, True, -3],
            "d": {"long": ["a name that is rather long"] * 9, "deep": [[{"x": (1, 2)}] * 9] * 2},
        }
    )
    text = standalone_text(cfg)
    assert loaded_back(text, tmp_path) == cfg._cfg_dict
    assert type(loaded_back(text, tmp_path)["a"]["one"]) is tuple


def test_the_text_reads_like_a_config() -> None:
    cfg = Config({"optimizer": {"lr": 0.02, "type": "SGD"}, "name": "x"})
    assert standalone_text(cfg) == 'optimizer = dict(type="SGD", lr=0.02)\nname = "x"\n'


def test_what_has_no_literal_form_is_told() -> None:
    with pytest.raises(UserError, match="no literal form"):
        standalone_text(Config({"hook": object()}))
