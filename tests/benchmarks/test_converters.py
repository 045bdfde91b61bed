import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from bdd100k_models.benchmarks.converters import converter_comparisons, instances, smooth_map
from bdd100k_models.benchmarks.timing import measure

ROOT = Path(__file__).resolve().parents[2]


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "benchmark.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


def test_every_converter_gives_what_the_plain_way_gives() -> None:
    timings = {timing.name: timing for timing in (measure(c, 3) for c in converter_comparisons(1))}
    assert len(timings) == 8
    # The mark is four times; half of it here, so that a busy machine fails nobody.
    assert timings["semantic map, 19 classes"].ratio > 2


def test_inputs_are_full_size_and_overlap() -> None:
    random = np.random.default_rng(0)
    assert np.unique(smooth_map(random, 19)).tolist() == list(range(19))
    boxes, scores, labels, masks = instances(random, 30)
    assert boxes.shape == (30, 4)
    assert len(scores) == len(labels) == len(masks) == 30
    painted = np.zeros((720, 1280), dtype=int)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int), strict=True):
        painted[y1:y2, x1:x2] += mask.crop
    assert painted.max() > 1


def test_script_prints_a_table_and_writes_figures(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = run_script("converters", "--repeats", "1", "--json", str(report))
    assert (result.returncode, result.stderr) == (0, "")
    assert "semantic map, 19 classes" in result.stdout
    figures = json.loads(report.read_text())
    assert figures["machine"]["numpy"] == np.__version__
    assert {"name", "baseline_ms", "ours_ms", "ratio"} == set(figures["converters"][0])


def test_script_on_bad_input(tmp_path: Path) -> None:
    result = run_script("converters", "--repeats", "0")
    assert result.returncode == 2
    assert "0 is less than 1" in result.stderr
    assert "Traceback" not in result.stderr
    (tmp_path / "file").touch()
    result = run_script("converters", "--repeats", "1", "--json", str(tmp_path / "file" / "x.json"))
    assert result.returncode == 2
    assert "error: cannot write" in result.stderr
    assert "Traceback" not in result.stderr
