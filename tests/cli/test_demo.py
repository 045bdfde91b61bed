"""The demo: its models are there and fit, its table and its exit status follow the marks."""

import json
from pathlib import Path

import pytest

from bdd100k_models import load_config
from bdd100k_models.cli import demo
from bdd100k_models.cli.demo import MODELS, DemoModel, Outcome
from bdd100k_models.engine.model import build_network
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.tasks import TASK_NAMES, task_of
from bdd100k_models.weights import fit_weights, read_checkpoint, verify

FOLDER = REPOSITORY / "demo" / "models"
MIB = 2**20


def outcome(score: float) -> Outcome:
    model = DemoModel("det_mini", "det", "Object detection", {"AP50": 40})
    return Outcome(model, "python det/test.py", {"AP50": score}, [], 1.0)


def test_every_task_has_a_model() -> None:
    # The mini network of mots is trained and run in tests alone.
    assert {model.task for model in MODELS} == set(TASK_NAMES) - {"mots"}
    sizes = [(FOLDER / f"{model.name}.pth").stat().st_size for model in MODELS]
    assert max(sizes) <= 5 * MIB
    assert sum(sizes) <= 25 * MIB


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_weights_fit_their_config(model: DemoModel) -> None:
    weights = FOLDER / f"{model.name}.pth"
    assert verify(weights)
    content = read_checkpoint(weights)
    cfg = load_config(FOLDER / f"{model.name}.py")
    task = task_of(cfg)
    assert task.name == model.task
    fit = fit_weights(build_network(task, cfg), content["state_dict"])
    assert fit.errors == []
    assert "optimizer" not in content["meta"]
    assert str(REPOSITORY) not in json.dumps(content["meta"])


def test_table_marks_what_is_below() -> None:
    good, bad = demo.table([outcome(40.0)]), demo.table([outcome(39.9)])
    assert good.splitlines()[1].split() == ["Object", "detection", "AP50", "40.0", "40", "1s"]
    assert bad.endswith("below the mark")


def test_a_score_that_is_missing_is_below_its_mark() -> None:
    assert outcome(41.0).passed
    assert not Outcome(outcome(0).model, "", {}, [], 1.0).passed
    assert not outcome(float("nan")).passed


def test_scores_with_a_mark_come_first(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"AP": 20.5, "AP50": 50, "APs": null}')
    scores = demo.read_scores(MODELS[2], tmp_path)
    assert list(scores.items()) == [("AP50", 50.0), ("AP", 20.5)]


@pytest.mark.parametrize(("score", "status"), [(80.0, 0), (10.0, demo.BELOW_MARK)])
def test_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    score: float,
    status: int,
) -> None:
    monkeypatch.setattr(demo, "make_data", lambda out: out)
    monkeypatch.setattr(demo, "run", lambda model, data, out: outcome(score))
    assert demo.main(["--out", str(tmp_path), "--only", "det_mini"]) == status
    page = (tmp_path / "report.html").read_text()
    assert "Object detection" in page and f"{score:.1f}" in page
    assert ("below the mark" in capsys.readouterr().err) == bool(status)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    model = DemoModel("no_mini", "det", "x", {})
    with pytest.raises(UserError, match=r"no weights at .*no_mini\.pth; train them"):
        demo.run(model, tmp_path, tmp_path)


def test_a_step_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"tools/evaluate\.py ended with status 2"):
        demo.step("tools/evaluate.py", "det", "/no/such.json")
    assert "error: " in capfd.readouterr().err
