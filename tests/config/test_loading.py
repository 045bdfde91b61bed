"""Configs: found by path and by name, overridden, with the data root in place."""

import json
import os
import sys
from pathlib import Path

import pytest
from mmcv import Config

from bdd100k_models import config, load_config
from bdd100k_models.config.loading import apply_options
from bdd100k_models.errors import UserError
from bdd100k_models.files import REPOSITORY

NAME = "faster_rcnn_r50_fpn_1x_det_bdd100k"


@pytest.fixture(autouse=True)
def no_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(config.DATA_ROOT_VARIABLE, raising=False)


def test_data_root_given_environment_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ann_file(**arguments: object) -> str:
        return str(load_config(NAME, **arguments).data.test.ann_file)  # type: ignore[arg-type]

    below = "/jsons/det_val_cocofmt.json"
    assert ann_file() == f"{REPOSITORY}/data/bdd100k{below}"
    monkeypatch.setenv(config.DATA_ROOT_VARIABLE, os.fspath(tmp_path))
    assert ann_file() == f"{tmp_path}{below}"
    assert ann_file(data_root="/elsewhere") == f"/elsewhere{below}"


def test_data_root_only_replaces_the_folder_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "c.py"
    path.write_text(
        'a = "data/bdd100k_more/x"\nb = ["data/bdd100k"]\nc = dict(d=("data/bdd100k/y",))\n'
    )
    cfg = load_config(path, data_root="/r")
    assert (cfg.a, cfg.b, cfg.c.d) == ("data/bdd100k_more/x", ["/r"], ("/r/y",))


def test_options_reach_into_lists() -> None:
    cfg = load_config(
        NAME,
        options={"model.test_cfg.rcnn.score_thr": 0.2, "data.test.pipeline.1.img_scale": (64, 32)},
    )
    assert cfg.model.test_cfg.rcnn.score_thr == 0.2
    assert cfg.data.test.pipeline[1].img_scale == (64, 32)


def test_option_that_does_not_fit() -> None:
    with pytest.raises(UserError, match="--cfg-options do not fit"):
        load_config(NAME, options={"data.test.pipeline.9.type": "X"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no/such.py", r"^no config file at no/such\.py$"),
        (f"wrong/{NAME}.py", rf"{NAME}' alone is a published name"),
        ("faster_rcnn_r50_fpn_1x_det_bdd10k", f"did you mean '{NAME}'"),
    ],
)
def test_not_found(given: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(given)


@pytest.mark.parametrize(
    "text",
    [
        "model = dict(\n",
        "model = missing\n",
        "_base_ = 'gone.py'\n",
        "import no_such_module\n",
        "model = [1][3]\n",
        "raise AttributeError('model')\n",
        "import sys\nsys.exit(3)\n",
        "raise SystemExit\n",
        "exit('bye')\n",
        "raise RecursionError\n",
        "_base_ = 3\n",
        "_base_ = [None]\n",
        "\0",
    ],
)
def test_broken_config_names_file_and_reason(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.py cannot be read: .+") as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.test_cfg.rcnn.score_thr", "abc", r"score_thr=abc: it is 0\.05 now"),
        ("model.test_cfg.rcnn.nms", "[", r"nms=\[: it is {.*} now, which is no text"),
        ("data.test.pipeline.1.flip", "maybe", "flip=maybe: it is False now"),
    ],
)
def test_text_in_the_place_of_a_number(key: str, value: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(NAME, options={key: value})


def test_text_in_the_place_of_text_or_nothing() -> None:
    cfg = load_config(NAME, options={"load_from": "x.pth", "model.type": "Y", "+new.key": "z"})
    assert (cfg.load_from, cfg.model.type, cfg.new.key) == ("x.pth", "Y", "z")


def test_a_config_that_ends_the_program_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import sys\nsys.exit(3)\n")
    before = list(sys.path)
    with pytest.raises(UserError, match=r"x\.py cannot be read: it ends the program, with 3$"):
        load_config(path)
    assert sys.path == before


@pytest.mark.parametrize("suffix", ["py", "json", "yaml"])
def test_bases_in_a_circle_are_named(tmp_path: Path, suffix: str) -> None:
    def write(name: str, base: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        texts = {"py": f"_base_ = {[base]!r}\n", "json": json.dumps({"_base_": base})}
        path.write_text(texts.get(suffix, f"_base_: [{base}]\n"))
        return path

    first = write(f"a.{suffix}", f"bases/b.{suffix}")
    write(f"bases/b.{suffix}", f"../c.{suffix}")
    write(f"c.{suffix}", f"./bases/b.{suffix}")
    with pytest.raises(UserError) as caught:
        load_config(first)
    assert str(caught.value) == (
        f"config {first} cannot be read: its bases go in a circle: "
        f"bases/b.{suffix} -> c.{suffix} -> bases/b.{suffix}"
    )
    own = write(f"own.{suffix}", f"own.{suffix}")
    with pytest.raises(UserError, match=rf"circle: own\.{suffix} -> own\.{suffix}$"):
        load_config(own)


def test_two_configs_may_share_a_base(tmp_path: Path) -> None:
    (tmp_path / "base.py").write_text("x = dict(a=1)\n")
    (tmp_path / "b.py").write_text("_base_ = 'base.py'\n")
    (tmp_path / "a.py").write_text("_base_ = 'b.py'\nx = dict(b=2)\n")
    assert dict(load_config(tmp_path / "a.py").x) == {"a": 1, "b": 2}


@pytest.mark.parametrize("now", [512.0, {"init_scale": 512}])
def test_a_loss_scale_may_be_dynamic(now: object) -> None:
    cfg = Config({"fp16": {"loss_scale": now}})
    apply_options(cfg, {"fp16.loss_scale": "dynamic"})
    assert cfg.fp16.loss_scale == "dynamic"
    with pytest.raises(UserError, match="which is no text"):
        apply_options(Config({"fp16": {"loss_scale": now}}), {"fp16.loss_scale": "static"})
