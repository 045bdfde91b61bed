"""Configs as standalone files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmcv import Config

from bdd100k_models import list_models
from bdd100k_models.config import read_config
from bdd100k_models.config.text import read_text, standalone_text
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
        assert read_text(text) == cfg._cfg_dict, name


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
    assert read_text(text) == cfg._cfg_dict


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = open('/etc/passwd')",
        "a = dict(1)",
        "a = dict(**b)",
        "a = {**b}",
        "a = float(b)",
        "a, b = 1, 2",
        "a = [",
        "a = b.c",
        "a = float('x')",
        "\0",
        "a = " + "(" * 3000 + ")" * 3000,
    ],
)
def test_what_is_no_text_of_a_config_is_not_run(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_text(text)


def test_the_text_reads_like_a_config() -> None:
    cfg = Config({"optimizer": {"lr": 0.02, "type": "SGD"}, "name": "x"})
    assert standalone_text(cfg) == 'optimizer = dict(type="SGD", lr=0.02)\nname = "x"\n'


def test_what_has_no_literal_form_is_told() -> None:
    with pytest.raises(UserError, match="no literal form"):
        standalone_text(Config({"hook": object()}))


@pytest.mark.parametrize(
    "key",
    [
        "import os; os.system('true') #",
        "a = 1\nb",
        "a.b",
        "a b",
        "",
        "1",
        "class",
        "None",
        "__builtins__",
        "__name__",
        "_base_",
        "dict",
        3,
    ],
)
def test_a_key_that_would_be_code_is_refused(tmp_path: Path, key: object) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}")
    cfg = Config({"model": {"depth": 3}}, filename=str(path))
    cfg._cfg_dict[key] = 1
    with pytest.raises(UserError) as caught:
        standalone_text(cfg)
    assert f"x.json cannot be printed: its key {key!r} is no name" in str(caught.value)


def test_json_stays_data(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"x": 1, f"open({str(tmp_path / 'ran')!r}, 'w'); y": 2}))
    with pytest.raises(UserError, match=r"x\.json cannot be printed: its key "):
        standalone_text(read_config(path))
    assert not (tmp_path / "ran").exists()


def test_keys_below_the_top_may_be_anything(tmp_path: Path) -> None:
    cfg = Config({"a": {"import os": 1, "class": {"__import__('os')": 2}, "_base_": "x"}})
    assert loaded_back(standalone_text(cfg), tmp_path) == cfg._cfg_dict
