"""``tools/print_config.py``."""

from __future__ import annotations

import pytest
from mmcv import Config

from bdd100k_models.cli import print_config
from bdd100k_models.errors import UserError

NAME = "faster_rcnn_r50_fpn_1x_det_bdd100k"


def test_options_are_applied_and_data_paths_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_config.main([NAME, "--cfg-options", "optimizer.lr=0.5"]) == 0
    cfg = Config.fromstring(capsys.readouterr().out, file_format=".py")
    assert cfg.optimizer.lr == 0.5
    assert cfg.data.train.ann_file == "data/bdd100k/jsons/det_train_cocofmt.json"


def test_an_unknown_config_is_told() -> None:
    with pytest.raises(UserError, match="no published model"):
        print_config.main(["faster_rcnn_r51"])
