"""Scoring in a fresh process, asked for by one that must not fork."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.evaluation import evaluate, evaluate_apart

#: A rank of a gloo group that scores; what it says of fork goes to standard error.
RANK = """
import json, os, sys
import torch.distributed as dist
from bdd100k_models.evaluation import evaluate_apart
dist.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
os.register_at_fork(before=lambda: sys.exit("forked"))
scores = evaluate_apart(*sys.argv[2:], nproc=2)
dist.barrier()
print(json.dumps(scores.as_dict()))
print(scores.table(), file=sys.stderr)
dist.destroy_process_group()
"""


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return json.dumps(left) == json.dumps(right)


@pytest.mark.parametrize("task", ["det", "pan_seg"])
def test_a_rank_scores_without_forking(world: Any, tmp_path: Path, task: str) -> None:
    files = getattr(world, task)()[:2]
    command = [sys.executable, "-c", RANK, str(tmp_path / "store"), task, *map(str, files)]
    environment = {**os.environ, "RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "nowhere"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    expected = evaluate(task, *files)
    assert same(json.loads(done.stdout), expected.as_dict())
    assert expected.table() in done.stderr


def test_takes_what_evaluate_takes(world: Any) -> None:
    _, _, truth, predicted, score_file = world.ins_seg()
    options: dict[str, Any] = {"form": "masks", "score_file": score_file, "names": ["scene-1.jpg"]}
    for name in ("scene-0", "scene-2", "scene-3"):
        (predicted / f"{name}.png").unlink()
    apart = evaluate_apart("ins_seg", truth, predicted, **options)
    assert same(apart.as_dict(), evaluate("ins_seg", truth, predicted, **options).as_dict())
    assert (apart.images, apart.predicted) == (1, 1)


def test_mistakes_come_back_as_themselves(world: Any, capfd: Any) -> None:
    truth, _ = world.det()
    with pytest.raises(UserError, match=r"^no predictions at .*none.json; give the path"):
        evaluate_apart("det", truth, world.out / "none.json")
    with pytest.raises(UserError, match=r"^nproc is 0"):
        evaluate_apart("det", truth, truth, nproc=0)
    with pytest.raises(RuntimeError, match=r"(?s)evaluator of det failed:.*TypeError"):
        evaluate_apart("det", truth, truth, nproc="many")  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for its child in /proc")
def test_a_killed_scoring_process_is_one_line(world: Any, tmp_path: Path) -> None:
    # The scoring process waits for what a pipe has to say, until it is killed.
    os.mkfifo(tmp_path / "truth.json")
    _, predicted = world.det()
    tasks = Path("/proc/self/task")
    before = {
        child for task in tasks.iterdir() for child in (task / "children").read_text().split()
    }

    def kill() -> None:
        while True:
            now = {
                child
                for task in tasks.iterdir()
                for child in (task / "children").read_text().split()
            }
            if new := now - before:
                os.kill(int(new.pop()), signal.SIGKILL)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(UserError, match=r"the process that scores det was ended \(signal 9\), as"):
        evaluate_apart("det", tmp_path / "truth.json", predicted)
    killer.join()
