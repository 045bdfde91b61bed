"""Ranks as a real mpirun starts them, where there is one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_MEETING = """
from bdd100k_models.engine.ranks import join
ranks = join("mpi", "cpu", None)
ranks.broadcast(None)
print(f"{ranks.gather(ranks.rank)} of {ranks.size}\\n", end="", flush=True)
ranks.shutdown()
"""


@pytest.mark.skipif(shutil.which("mpirun") is None, reason="no mpirun")
def test_mpirun(tmp_path: Path) -> None:
    script = tmp_path / "meet.py"
    script.write_text(_MEETING)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MASTER_")},
        "PYTHONPATH": os.getcwd(),
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    command = ["mpirun", "--oversubscribe", "-n", "2", sys.executable, str(script)]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["[0, 1] of 2"] * 2
