"""Configs: found by path and by name, overridden, with the data root in place."""

import os
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


def test_same_config_by_name_and_by_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = REPOSITORY / "det" / "configs" / "det" / f"{NAME}.py"
    assert config.find_config(NAME) == path
    assert config.find_config(path) == path
    monkeypatch.chdir(tmp_path)
    assert config.find_config(f"det/configs/det/{NAME}.py") == path


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
        ("faster_rcnn_r50_fpn_1x_det_bdd10k", f"did you mean {NAME}"),
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
    cfg = load_config(NAME, options={"load_from": "x.pth", "model.type": "Y", "new.key": "z"})
    assert (cfg.load_from, cfg.model.type, cfg.new.key) == ("x.pth", "Y", "z")


@pytest.mark.parametrize("now", [512.0, {"init_scale": 512}])
def test_a_loss_scale_may_be_dynamic(now: object) -> None:
    cfg = Config({"fp16": {"loss_scale": now}})
    apply_options(cfg, {"fp16.loss_scale": "dynamic"})
    assert cfg.fp16.loss_scale == "dynamic"
    with pytest.raises(UserError, match="which is no text"):
        apply_options(Config({"fp16": {"loss_scale": now}}), {"fp16.loss_scale": "static"})
