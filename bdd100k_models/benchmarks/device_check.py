"""Whether a device gives what the CPU gives: operations, models, training, two ranks.

Each group of checks runs in a process of its own, so that one that brings its GPU or itself down
ends neither the others nor what it had found by then.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import torch

from bdd100k_models.benchmarks import device_ops, device_runs
from bdd100k_models.benchmarks.agreement import disagreement
from bdd100k_models.benchmarks.timing import machine
from bdd100k_models.engine.devices import resolve_device, set_matmul_precision
from bdd100k_models.errors import UserError

Status = Literal["ok", "differs", "failed", "not run"]

GROUPS = ("ops", "models", "training", "ranks")
#: How the models are run, each beside float32 on the CPU.
MODES = ("fp32", "tf32", "fp16", "bf16", "compiled")
#: Largest disagreement of a mode: of pixels and of scores, and of findings and keypoints, where a
#: single one among some dozens may fall on the other side of a limit.
LIMITS = {
    "fp32": (0.001, 0.03),
    "compiled": (0.001, 0.03),
    "tf32": (0.005, 0.1),
    "fp16": (0.005, 0.1),
    "bf16": (0.02, 0.25),
}
#: Largest relative difference between the first step's loss and the CPU's.
_LOSS_LIMIT = 0.01


class NotRunError(Exception):
    """Something is missing that a check needs; the message says what."""


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes:
        group: the group that it belongs to.
        check: its name.
        status: ``ok``, ``differs``, ``failed`` (it ended with an error) or ``not run``.
        detail: what differed and by how much, beside what was allowed; or why.
        seconds: how long it took.
        trace: where an error came from.
    """

    group: str
    check: str
    status: Status
    detail: str
    seconds: float = 0.0
    trace: str = ""


@dataclass(frozen=True)
class Finding:
    """A measured difference, and what is allowed."""

    value: float
    limit: float
    what: str

    def __str__(self) -> str:
        return f"{self.value:.2g} {self.what} (at most {self.limit:g})"


#: Name of a check and the check: a `Finding`, or a line on what was seen; errors mean it failed.
Check = tuple[str, Callable[[], Finding | str]]


def attempt(group: str, check: Check) -> Outcome:
    """Run one check; whatever it raises is its outcome."""
    name, function = check
    started = time.monotonic()

    def outcome(status: Status, detail: str, trace: str = "") -> Outcome:
        return Outcome(group, name, status, detail, time.monotonic() - started, trace)

    try:
        found = function()
    except NotRunError as reason:
        return outcome("not run", str(reason))
    except Exception as error:  # whatever a driver, a kernel or the code trips over
        told = (str(error).strip() or repr(error)).splitlines()[0]
        return outcome("failed", f"{type(error).__name__}: {told}", traceback.format_exc())
    if isinstance(found, str):
        return outcome("ok", found)
    return outcome("ok" if found.value <= found.limit else "differs", str(found))


# -- the groups -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """What the checks need to know.

    Attributes:
        device: ``cuda``, ``cuda:N`` or ``cpu``.
        data: data root of a mini dataset, prepared.
        folder: for what runs write.
        models: mini models of ``demo/models``, by name.
    """

    device: str
    data: Path
    folder: Path
    models: tuple[str, ...]


def ops_checks(setting: Setting) -> Iterator[Check]:
    """mmcv's operations, results and gradients."""
    device = resolve_device(setting.device)
    set_matmul_precision(tf32=False)

    def compare(operation: device_ops.Operation) -> Finding:
        found, on_cpu = operation.run(device), operation.run(torch.device("cpu"))
        return Finding(device_ops.difference(found, on_cpu), operation.limit, "relative difference")

    for operation in device_ops.operations(device):
        yield operation.name, partial(compare, operation)


def model_checks(setting: Setting) -> Iterator[Check]:
    """Each mini model in each mode, beside float32 on the CPU."""
    for name in setting.models:
        on_cpu: list[Any] = []

        def compare(mode: str, name: str = name, on_cpu: list[Any] = on_cpu) -> Finding:
            missing = device_runs.missing_for(mode, setting.device)
            if missing is not None:
                raise NotRunError(missing)
            if not on_cpu:
                on_cpu.extend(device_runs.predict(name, setting.data, "cpu", "fp32"))
            found = device_runs.predict(name, setting.data, setting.device, mode)
            shares = [disagreement(a, b) for a, b in zip(found, on_cpu, strict=True)]
            value, what = max(shares)
            dense = "class_map" in on_cpu[0] or "boxes" not in on_cpu[0]
            return Finding(value, LIMITS[mode][0 if dense else 1], what)

        for mode in MODES:
            yield f"{name}, {mode}", partial(compare, mode)


def training_checks(setting: Setting) -> Iterator[Check]:
    """A step of each mini model, and a run that a signal ends and that is resumed."""

    def step(name: str) -> Finding:
        losses = [
            device_runs.first_loss(name, setting.data, setting.folder / f"{name}-{kind}", device)
            for kind, device in (("device", setting.device), ("cpu", "cpu"))
        ]
        value = abs(losses[0] - losses[1]) / max(abs(losses[1]), 1e-9)
        return Finding(value, _LOSS_LIMIT, f"relative difference of the loss {losses[1]:.4f}")

    for name in setting.models:
        yield f"{name}, first step", partial(step, name)
    name = setting.models[0]
    yield (
        f"{name}, stopped by a signal and resumed",
        lambda: device_runs.stop_and_resume(
            name, setting.data, setting.folder / "stopped", setting.device
        ),
    )


def rank_checks(setting: Setting) -> Iterator[Check]:
    """Training and prediction shared by two processes."""

    def two(function: Callable[..., str], name: str) -> str:
        if setting.device != "cpu" and torch.cuda.device_count() < 2:
            raise NotRunError("needs two GPUs, here is one")
        kind = "cpu" if setting.device == "cpu" else "cuda"
        return function(name, setting.data, setting.folder / f"{name}-ranks", kind)

    trained = setting.models[0]
    yield f"{trained}, trained by two ranks", lambda: two(device_runs.train_on_two, trained)
    yield f"{trained}, predicted by two ranks", lambda: two(device_runs.predict_on_two, trained)


_CHECKS: dict[str, Callable[[Setting], Iterator[Check]]] = {
    "ops": ops_checks,
    "models": model_checks,
    "training": training_checks,
    "ranks": rank_checks,
}


# -- one process for each ---------------------------------------------------------------------


def run_checks(
    device: str,
    groups: Sequence[str],
    models: Sequence[str],
    report: Callable[[Outcome], None],
) -> list[Outcome]:
    """All checks of some groups, told as they end.

    Raises:
        UserError: a GPU that is not there, or the name of no device.
    """
    check_device(device)
    found: list[Outcome] = []

    def add(outcome: Outcome) -> None:
        found.append(outcome)
        report(outcome)

    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(device, Path(folder, "bdd100k"), Path(folder), tuple(models))
        if set(groups) != {"ops"}:
            device_runs.make_data(setting.data)
        for group in groups:
            parts = [(model,) for model in models] if group == "models" else [tuple(models)]
            for part in parts:
                own = Setting(device, setting.data, setting.folder, part)
                _in_own_process(group, own, add)
    return found


def check_device(device: str) -> None:
    """A device is there.

    Raises:
        UserError: it is not, or the text names none.
    """
    try:
        resolve_device(device)
    except UserError as error:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise UserError(
                f"--device {device}: no GPU that this torch can use; --device cpu runs the checks "
                "on the CPU, which tells about this installation and nothing about a GPU"
            ) from error
        raise


def _in_own_process(group: str, setting: Setting, add: Callable[[Outcome], None]) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    log = setting.folder / f"{group}.log"
    process = context.Process(target=_run_group, args=(group, setting, theirs, log))
    process.start()
    theirs.close()
    while True:
        try:
            add(ours.recv())
        except EOFError:
            break
    process.join()
    if process.exitcode:
        tail = log.read_text(errors="replace").strip().splitlines()[-1:] if log.is_file() else []
        detail = f"its process ended with status {process.exitcode} {' '.join(tail)}".strip()
        add(Outcome(group, "the rest of the group", "failed", detail))


def _run_group(group: str, setting: Setting, results: Connection, log: Path) -> None:
    """In the process of a group: what it prints goes into a file, outcomes to the parent."""
    with open(log, "ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    for check in _CHECKS[group](setting):
        results.send(attempt(group, check))


# -- what is printed and written --------------------------------------------------------------


def surroundings(device: str) -> dict[str, str]:
    """The machine and what computes: versions, the GPU's name."""
    facts = {**machine(), "torch": torch.__version__, "device": device}
    if device != "cpu":
        facts["GPU"] = torch.cuda.get_device_name(device)
        facts["GPUs"] = str(torch.cuda.device_count())
        facts["compute capability"] = ".".join(map(str, torch.cuda.get_device_capability(device)))
        facts["CUDA"] = str(torch.version.cuda)
        facts["cuDNN"] = str(torch.backends.cudnn.version())
    return facts


def line(outcome: Outcome) -> str:
    """A line of the table."""
    return (
        f"{outcome.status:<8} {outcome.group:<9} {outcome.check:<48} {outcome.seconds:>6.1f} s  "
        f"{outcome.detail}"
    )


def summary(outcomes: Sequence[Outcome], groups: Sequence[str], device: str) -> str:
    """How many checks came out how, and plainly what was not run."""
    count = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("ok", "differs", "failed", "not run")
    }
    lines = [", ".join(f"{number} {status}" for status, number in count.items())]
    left_out = [group for group in GROUPS if group not in groups]
    if left_out:
        lines.append(f"not asked for: {', '.join(left_out)}")
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status == "not run":
            reasons.setdefault(outcome.detail, []).append(outcome.check)
    lines += [f"not run, {reason}: {'; '.join(checks)}" for reason, checks in reasons.items()]
    if device == "cpu":
        lines.append("this ran on the CPU: nothing of it says anything about a GPU")
    return "\n".join(lines)


def figures(outcomes: Sequence[Outcome], device: str) -> dict[str, Any]:
    """As JSON takes it."""
    return {
        "surroundings": surroundings(device),
        "checks": [asdict(outcome) for outcome in outcomes],
    }
