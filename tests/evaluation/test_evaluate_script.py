"""``tools/evaluate.py`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.cli.evaluate import main
from bdd100k_models.evaluation import evaluate

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "evaluate.py"


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prints_the_table_and_writes_the_scores(world: Any) -> None:
    truth, predicted = world.det()
    out_file = world.out / "new" / "scores.json"
    done = run("det", predicted, "--data-root", world.labels.parent, "--out-file", out_file)
    scores = evaluate("det", truth, predicted)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(scores.table())
    assert "det: 4 images scored" in done.stdout
    assert json.loads(out_file.read_text()) == scores.as_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["det", "nowhere.json"], "error: no val ground truth of det: looked for"),
        (["det", "nowhere.json", "--split", "test"], "error: the test split has no public labels"),
    ],
)
def test_mistakes_exit_with_2_and_one_line(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run(*arguments, "--data-root", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_folder_of_bitmasks_is_recognised(world: Any, capsys: Any) -> None:
    _, _, truth, predicted, score_file = world.ins_seg()
    assert main(["ins_seg", str(predicted), "--data-root", str(world.labels.parent)]) == 0
    expected = evaluate("ins_seg", truth, predicted, form="masks", score_file=score_file)
    assert capsys.readouterr().out.startswith(expected.table())


def test_predicted_only(world: Any, edited: Any, capsys: Any) -> None:
    truth, predicted = world.tagging()
    edited(predicted, lambda content: content["frames"].pop() and None)
    main(["tagging", str(predicted), "--ground-truth", str(truth), "--predicted-only"])
    assert "tagging: 3 images scored" in capsys.readouterr().out


def test_evaluation_imports_no_torch() -> None:
    code = (
        "import sys, bdd100k_models.cli.evaluate as e; "
        "bad = {'torch', 'mmcv', 'matplotlib', 'bdd100k', 'scalabel'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parents[1], check=False)
    assert done.returncode == 0
