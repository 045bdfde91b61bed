"""Peak memory of ``det/test.py`` over more and more pictures of one annotation file."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY

CONFIG = REPOSITORY / "demo" / "models" / "det_mini.py"
#: Pixels; small, as the memory for results and not that of the model is measured.
WIDTH, HEIGHT = 320, 192
#: Seconds between two looks at the processes' memory.
_INTERVAL = 0.05


@dataclass(frozen=True)
class MemoryFigure:
    """One run: pictures, labels written, MiB of the main process and of all, seconds.

    ``settled_mib`` is the median of the main process over the second half of the run: the peaks
    are those of single pictures, and more pictures meet higher ones by chance.
    """

    images: int
    labels: int
    settled_mib: float
    main_mib: float
    all_mib: float
    seconds: float


def measure_memory(counts: Sequence[int], folder: Path) -> list[MemoryFigure]:
    """Run the detector over the first ``n`` pictures for each ``n``; 100 boxes a picture.

    One annotation file of ``max(counts)`` pictures serves all runs; only ``--limit`` differs.

    Raises:
        UserError: a run failed.
    """
    _make_pictures(folder, max(counts))
    weights = _weights(folder)
    return [_run(folder, weights, count) for count in counts]


def _make_pictures(folder: Path, count: int) -> None:
    """``count`` names for eight pictures, and the annotation file that lists them."""
    pictures = folder / "data" / "images" / "100k" / "val"
    pictures.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(min(8, count)):
        coarse = rng.integers(0, 255, (HEIGHT // 16, WIDTH // 16, 3)).astype(np.uint8)
        cv2.imwrite(os.fspath(pictures / f"{number}.jpg"), cv2.resize(coarse, (WIDTH, HEIGHT)))
    for number in range(8, count):
        os.link(pictures / f"{number % 8}.jpg", pictures / f"{number}.jpg")
    images = [
        {"id": n + 1, "file_name": f"{n}.jpg", "width": WIDTH, "height": HEIGHT}
        for n in range(count)
    ]
    annotations = folder / "data" / "jsons" / "det_val_cocofmt.json"
    annotations.parent.mkdir()
    annotations.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))


def _weights(folder: Path) -> Path:
    """Random weights; with the score threshold at 0 they give the 100 boxes that a run keeps."""
    import torch

    from bdd100k_models import build_model, load_config

    torch.manual_seed(0)
    path = folder / "weights.pth"
    torch.save({"state_dict": build_model(load_config(CONFIG)).state_dict()}, path)
    return path


def _run(folder: Path, weights: Path, count: int) -> MemoryFigure:
    out = folder / f"out-{count}"
    command = [
        *(sys.executable, os.fspath(REPOSITORY / "det" / "test.py"), os.fspath(CONFIG)),
        *("--checkpoint", os.fspath(weights), "--data-root", os.fspath(folder / "data")),
        *("--limit", str(count), "--format-dir", os.fspath(out), "--device", "cpu"),
        *("--cfg-options", "model.test_cfg.rcnn.score_thr=0.0"),
    ]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        peak = _Peak(process.pid)
        status = process.wait()
        peak.stop()
    if status:
        raise UserError(f"the run over {count} pictures ended with status {status}")
    labels = sum(line.count(b'"score"') for line in open(out / "det.json", "rb"))
    seconds = time.monotonic() - started
    return MemoryFigure(count, labels, peak.settled(), max(peak.main), peak.all, seconds)


class _Peak:
    """Watches the memory of a process and its children from a thread, MiB."""

    def __init__(self, pid: int) -> None:
        self.main: list[float] = []
        self.all = 0.0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(_INTERVAL):
            try:
                main = self._process.memory_info().rss
                family = [child.memory_info().rss for child in self._process.children()]
            except psutil.Error:
                continue
            self.main.append(main / 2**20)
            self.all = max(self.all, (main + sum(family)) / 2**20)

    def settled(self) -> float:
        """Median of the main process over the second half of the time."""
        return statistics.median(self.main[len(self.main) // 2 :])

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()


def memory_table(figures: Sequence[MemoryFigure]) -> str:
    """A line for each run."""
    lines = [f"{'pictures':>9}{'labels':>9}{'settled':>9}{'peak':>7}{'all MiB':>9}{'seconds':>9}"]
    lines += [
        f"{f.images:>9}{f.labels:>9}{f.settled_mib:>9.0f}{f.main_mib:>7.0f}{f.all_mib:>9.0f}{f.seconds:>9.0f}"
        for f in figures
    ]
    return "\n".join(lines)
