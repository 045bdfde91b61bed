"""What a process that predicts a data set spends, stage by stage."""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STAGES = ("loading", "forward", "conversion", "writing")


class Stages:
    """Seconds of each stage, by whatever thread spends them."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Within is the stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.seconds[stage] += spent

    def calls(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, each call of which is the stage."""

        @functools.wraps(function)
        def timed(*args: Any, **options: Any) -> Any:
            with self(stage):
                return function(*args, **options)

        return timed

    def steps(self, stage: str, items: Iterable[Any]) -> Iterator[Any]:
        """``items``; waiting for each of them is the stage."""
        iterator = iter(items)
        while True:
            with self(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


@dataclass(frozen=True)
class Spent:
    """What one process spent.

    Attributes:
        images: pictures.
        start_up: seconds from the command to the loop over the pictures.
        seconds: from there to the finished files.
        memory_mib: most memory of the process, MiB.
        loader_mib: most memory of one of its loader processes, MiB; 0 without them.
        stages: seconds by stage; more than ``seconds`` together where they overlap.
        forward: seconds of a forward pass on a picture in memory, alone; median.
        forward_cpu: CPU seconds of it, of all threads.
        decoding_cpu: CPU seconds of a picture through the pipeline, alone; median.
    """

    images: int
    start_up: float
    seconds: float
    memory_mib: float
    loader_mib: float
    stages: dict[str, float]
    forward: float
    forward_cpu: float
    decoding_cpu: float

    def figures(self) -> dict[str, Any]:
        """As JSON takes it."""
        return dataclasses.asdict(self)


def alone(action: Callable[[Any], object], items: Sequence[Any]) -> tuple[float, float]:
    """Medians over ``items``: seconds of ``action``, and CPU seconds of all threads; warm."""
    action(items[0])
    seconds, cpu = [], []
    for item in items:
        begin, cpu_begin = time.perf_counter(), time.process_time()
        action(item)
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    return statistics.median(seconds), statistics.median(cpu)


def first_rank() -> bool:
    """Whether this process is the one of its launcher that reports."""
    return os.environ.get("RANK", "0") == "0"
