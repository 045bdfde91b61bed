"""Mistakes in a command line: one line, exit status 2, and the name that was meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bdd100k_models.cli import (
    arguments,
    benchmark,
    check_device,
    demo,
    download,
    evaluate,
    list_models,
    make_mini,
    model_card,
    pack_submission,
    prepare_data,
    print_config,
    publish_model,
    train,
    visualize,
)
from bdd100k_models.cli import test as test_script

Main = Callable[[list[str]], object]


def test_det(argv: list[str]) -> int:
    return test_script.main("det", argv)


def test_pose(argv: list[str]) -> int:
    return test_script.main("pose", argv)


for _script in (test_det, test_pose):
    _script.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("main", "argv", "told"),
    [
        (test_det, [], "the following arguments are required: CONFIG"),
        (test_det, ["x", "--splt", "val"], "no option --splt; did you mean '--split' or"),
        (test_det, ["x", "--spltt=val"], "no option --spltt; did you mean '--split' or"),
        (test_det, ["x", "--split", "vall"], "--split: 'vall' is no choice; did you mean 'val'?"),
        (test_det, ["x", "y"], "what is 'y' for? --help shows what can be given"),
        (test_det, ["x", "--precision", "float17"], "one of auto, fp32, tf32, fp16, bf16"),
        (test_det, ["x", "--workers", "-1"], "--workers: -1 is less than 0"),
        (test_det, ["x", "--batch-size", "1" + "0" * 30], "0 is more than 2147483647"),
        (test_det, ["x", "--limit", "some"], "--limit: 'some' is no whole number"),
        (test_det, ["x", "--show-score-thr", "nan"], "--show-score-thr: 'nan' is no number"),
        (test_det, ["x", "--zzz"], "no option --zzz; --help lists them"),
        (test_pose, ["x", "--box-score-thr", "inf"], "--box-score-thr: 'inf' is no number"),
        (test_pose, ["x", "--box-categories", "pedestrain"], "did you mean 'pedestrian'"),
        (test_det, ["x", "--out", "a\0b"], "'a\\x00b' is not UTF-8 text"),
        (test_det, ["caf\udce9.py"], "'caf\\\\udce9.py' is not UTF-8 text, as names here must be"),
        (train.main, ["x", "--resum", "--dterministic"], "did you mean '--deterministic'?"),
        (train.main, ["x", "--seed", "1.5"], "--seed: '1.5' is no whole number"),
        (train.main, ["x", "--launcher", "slrum"], "did you mean 'slurm'?"),
        (benchmark.main, ["rn"], "PART: 'rn' is no choice; did you mean 'run'?"),
        (benchmark.main, ["run", "--devic", "gpu"], "'gpu' is no choice; did you mean 'cpu'?"),
        (check_device.main, ["--only", "modles"], "did you mean 'models'?"),
        (demo.main, ["--only", "dett_mini"], "did you mean 'det_mini'"),
        (download.main, ["--tsk", "det"], "no option --tsk; did you mean '--task'?"),
        (evaluate.main, ["sem-seg", "x"], "did you mean 'sem_seg'"),
        (list_models.main, ["--format", "jsn"], "did you mean 'json'?"),
        (make_mini.main, ["--out", "x", "--train", "-4"], "--train: -4 is less than 0"),
        (model_card.main, ["--chek"], "no option --chek; did you mean '--check' or"),
        (pack_submission.main, ["dett", "x"], "'dett' is no choice; did you mean 'det'?"),
        (prepare_data.main, ["--splits", "trian"], "did you mean 'train'?"),
        (print_config.main, ["x", "--cfg-opton"], "did you mean '--cfg-options'"),
        (publish_model.main, ["x"], "the following arguments are required: OUT"),
        (visualize.main, ["--frmes", "x"], "required: --frames"),
    ],
)
def test_a_mistake_is_one_line_with_what_was_meant(
    main: Main, argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert told in error
    assert error.count("\n") == 1


def test_of_several_processes_the_first_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as end:
        train.main(["x", "--sed", "1"])
    assert end.value.code == 2
    assert capsys.readouterr().err == ""


def test_a_name_that_is_not_utf8_is_told_wherever_it_comes_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> int:
        "caf\udce9".encode()
        return 0

    assert arguments.run(main) == 2
    assert capsys.readouterr().err == (
        "error: 'caf\\\\udce9' is not UTF-8 text, as names here must be; rename it\n"
    )
