"""Scoring in a process of its own.

The official evaluators fork pools of processes. A process that holds a GPU, is a rank of a group or
has threads must not fork: the children inherit sockets, locks and a context that they cannot use.
A fresh interpreter has none of them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation.official import evaluate
from bdd100k_models.evaluation.scores import Scores
from bdd100k_models.system import end_group, usable_cores
from bdd100k_models.zoo.tasks import Form

#: What the fresh interpreter runs: it must find this package where this process did.
_PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from bdd100k_models.evaluation.apart import answer
answer(sys.stdin.buffer)
"""

#: What torchrun and the like tell a rank: the scoring process is none.
_OF_A_RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def evaluate_apart(
    task: str,
    ground_truth: str | Path,
    predictions: str | Path,
    *,
    form: Form = "json",
    score_file: str | Path | None = None,
    names: Collection[str] | None = None,
    predicted_only: bool = False,
    nproc: int | None = None,
    progress: bool = False,
) -> Scores:
    """As :func:`evaluate`, in a fresh process, which sees no GPU and no process group.

    Args:
        nproc: number of processes that score; as many as there are cores by default.

    Raises:
        UserError: see :func:`evaluate`; or the scoring process was ended from outside.
        RuntimeError: the scoring process failed otherwise; the message holds its traceback.
    """
    request: dict[str, Any] = {
        "task": task,
        "ground_truth": os.path.abspath(ground_truth),
        "predictions": os.path.abspath(predictions),
        "form": form,
        "score_file": None if score_file is None else os.path.abspath(score_file),
        "names": None if names is None else list(names),
        "predicted_only": predicted_only,
        "nproc": len(usable_cores()) if nproc is None else nproc,
        "progress": progress,
    }
    with tempfile.TemporaryFile() as result:
        status = _run([pickle.dumps(sys.path), pickle.dumps(request)], result)
        result.seek(0)
        data = result.read()
    if status != 0 or not data:
        ended = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise UserError(
            f"the process that scores {task} was ended ({ended}), as the system does when memory "
            f"runs out; what was predicted is kept, score it with tools/evaluate.py {task} "
            f"{predictions}, with a smaller --nproc if need be"
        )
    answer: Scores | BaseException = pickle.loads(data)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def answer(requests: IO[bytes]) -> None:
    """What the fresh process does: score what is asked and put the scores on standard output."""
    request = pickle.load(requests)
    # What the evaluators print must not get between: their standard output becomes the terminal's.
    with os.fdopen(os.dup(1), "wb") as result:
        os.dup2(2, 1)
        found: Scores | BaseException
        try:
            found = evaluate(**request)
        except UserError as error:
            found = error
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            found = RuntimeError(f"the official evaluator of {request['task']} failed:\n{trace}")
        pickle.dump(found, result)


def _run(messages: list[bytes], result: IO[bytes]) -> int:
    """Run the fresh process to its end, with all that it started; gives its exit status."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_A_RANK}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=result,
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        # A group of its own: whoever is left of a pool when the scoring process dies ends with it.
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            for message in messages:
                stdin.write(message)
        return process.wait()
    finally:
        if process.returncode != 0:
            end_group(process)
