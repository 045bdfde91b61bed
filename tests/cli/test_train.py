"""The arguments of ``tools/train.py``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from bdd100k_models.cli.train import main, make_parser, without_root
from bdd100k_models.files.places import REPOSITORY


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['train.py', '--help']\n"
        "from bdd100k_models.cli.train import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules and 'mmcv' not in sys.modules\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert run.returncode == 0, run.stderr
    assert "--auto-scale-lr" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["faster_rcnn_r51"], "no published model is named 'faster_rcnn_r51'"),
        (["nowhere.py"], "no config file at nowhere.py"),
        (["x.py", "--resume", "--overwrite"], "exclude each other"),
        (
            ["retinanet_r50_fpn_1x_det_bdd100k", "--device", "toaster", "--no-pretrained"],
            "--device toaster",
        ),
        (
            ["retinanet_r50_fpn_1x_det_bdd100k", "--cfg-options", "optimizer"],
            "--cfg-options optimizer: write KEY=VALUE",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--seed", "-1"], ["--limit-steps", "0"], ["--workers", "-1"]]
)
def test_numbers_have_a_range(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["x.py", *arguments])
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize("spelling", ["--local-rank", "--local_rank"])
def test_both_spellings_of_the_rank(spelling: str) -> None:
    assert make_parser().parse_args(["x.py", f"{spelling}=3"]).local_rank == 3


@pytest.mark.parametrize(
    ("value", "root", "expected"),
    [
        ("/data/images/100k", "/data", "data/bdd100k/images/100k"),
        ("/data", "/data", "data/bdd100k"),
        ("/home/u/data/y", "/data", "/home/u/data/y"),
        ("/database/x", "/data", "/database/x"),
        ("see /data/images", "/data", "see /data/images"),
        ("/x", "/", "data/bdd100k/x"),
        (["/data/a", {"b": ("/data/c", 3)}], "/data", None),
    ],
)
def test_settings_below_the_data_root_are_as_configs_have_them(
    value: Any, root: str, expected: Any
) -> None:
    if expected is None:
        expected = ["data/bdd100k/a", {"b": ("data/bdd100k/c", 3)}]
    assert without_root(value, root) == expected
