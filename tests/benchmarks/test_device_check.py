"""``tools/check_device.py``: on the CPU, and its comparisons on a rehearsed GPU."""

from __future__ import annotations

import json
import os
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from bdd100k_models.benchmarks import device_check, device_ops, device_runs
from bdd100k_models.benchmarks.device_check import Finding, NotRunError, Outcome, attempt
from bdd100k_models.benchmarks.rehearsal import rehearsal
from bdd100k_models.cli.check_device import main


def test_operations_on_the_cpu(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    report = tmp_path / "report.json"
    assert main(["--device", "cpu", "--only", "ops", "--json", str(report)]) == 0
    printed = capfd.readouterr().out
    assert "ok       ops       nms, offset 0" in printed
    assert "0 differs, 0 failed, 0 not run" in printed
    assert "not asked for: models, training, ranks" in printed
    assert "this ran on the CPU: nothing of it says anything about a GPU" in printed
    found = json.loads(report.read_text())
    assert found["surroundings"]["torch"] == torch.__version__
    assert {check["status"] for check in found["checks"]} == {"ok"}
    assert len(found["checks"]) > 15


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        ([], "--device cuda: no GPU that this torch can use; --device cpu runs the checks"),
        (["--device", "cuda:3"], "--device cuda:3: no GPU"),
        (["--device", "tpu"], "--device tpu: use cpu, cuda, cuda:N or auto"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1


def test_outcomes_say_what_differed_by_how_much() -> None:
    def not_there() -> str:
        raise NotRunError("needs two GPUs, here is one")

    def broken() -> str:
        raise ValueError("no kernel\nmore")

    outcomes = [
        attempt("ops", check)
        for check in (
            ("a", lambda: Finding(0.1, 0.2, "of the pixels differ")),
            ("b", lambda: Finding(0.3, 0.2, "of the pixels differ")),
            ("c", lambda: Finding(float("inf"), 0.2, "relative difference")),
            ("d", not_there),
            ("e", broken),
            ("f", lambda: "two frames"),
        )
    ]
    assert [outcome.status for outcome in outcomes] == [
        *("ok", "differs", "differs", "not run", "failed", "ok")
    ]
    assert outcomes[1].detail == "0.3 of the pixels differ (at most 0.2)"
    assert outcomes[4].detail == "ValueError: no kernel"
    assert "broken" in outcomes[4].trace
    text = device_check.summary(outcomes, ["ops"], "cuda")
    assert text.splitlines()[0] == "2 ok, 2 differs, 1 failed, 1 not run"
    assert "not run, needs two GPUs, here is one: d" in text
    assert "CPU" not in text


def _checks_that_die(setting: device_check.Setting) -> object:
    yield "before", lambda: "fine"
    yield "dies", lambda: os._exit(7)


def test_a_process_that_dies_ends_its_group_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A forked process sees the checks of this test; a spawned one would not.
    monkeypatch.setitem(device_check._CHECKS, "ops", _checks_that_die)
    monkeypatch.setattr(device_check.multiprocessing, "get_context", lambda _: get_context("fork"))
    found: list[Outcome] = []
    setting = device_check.Setting("cpu", tmp_path, tmp_path, ())
    device_check._in_own_process("ops", setting, found.append)
    assert [(outcome.check, outcome.status) for outcome in found] == [
        ("before", "ok"),
        ("the rest of the group", "failed"),
    ]
    assert "ended with status 7" in found[1].detail


def test_difference() -> None:
    ones = torch.ones(3)
    assert device_ops.difference([ones], [ones]) == 0
    assert device_ops.difference([ones * 1.5], [ones]) == pytest.approx(0.5)
    assert device_ops.difference([ones[:2]], [ones]) == float("inf")
    assert device_ops.difference([ones * float("nan")], [ones]) == float("inf")
    whole = torch.tensor([1, 2])
    assert device_ops.difference([whole], [whole]) == 0
    assert device_ops.difference([whole + 1], [whole]) == float("inf")


def test_operations_on_a_rehearsed_gpu() -> None:
    cpu = torch.device("cpu")
    with rehearsal():
        for operation in device_ops.operations(torch.device("cuda")):
            results = operation.run(torch.device("cuda", 0))
            if not operation.name.endswith("float16"):  # gradients there are stand-ins
                outputs = len(results) - len(operation.gradients)
                expected = operation.run(cpu)
                assert device_ops.difference(results[:outputs], expected[:outputs]) == 0


@pytest.mark.parametrize("mode", ["fp32", "bf16"])
def test_a_model_on_a_rehearsed_gpu(mini_root: Path, mode: str) -> None:
    expected = device_runs.predict("tagging_weather_mini", mini_root, "cpu", "fp32")
    with rehearsal():
        found = device_runs.predict("tagging_weather_mini", mini_root, "cuda", mode)
    assert [list(arrays) for arrays in found] == [list(arrays) for arrays in expected]
    largest = max(
        np.abs(a["scores"] - b["scores"]).max() for a, b in zip(found, expected, strict=True)
    )
    assert largest < 1e-5 if mode == "fp32" else 0 < largest < 0.04


def test_modes_that_a_cpu_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_runs.missing_for("fp32", "cpu") is None
    assert device_runs.missing_for("tf32", "cpu") == "TF32 is a format of GPUs"
    monkeypatch.setenv("CC", "no-such-compiler")
    assert device_runs.missing_for("compiled", "cpu") == "torch.compile needs a C compiler"


@pytest.mark.slow
def test_a_stop_and_a_resume_on_the_cpu(mini_root: Path, tmp_path: Path) -> None:
    told = device_runs.stop_and_resume("tagging_weather_mini", mini_root, tmp_path, "cpu")
    assert told.startswith("stopped after step ")
