"""From image records to batches on a device."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from bdd100k_models.engine import complaints
from bdd100k_models.errors import UserError, let_go
from bdd100k_models.system import ignore_ended_children, start_method
from bdd100k_models.tasks.base import ImageRecord, Pipeline, map_tensors

T = TypeVar("T")

#: Batches that a thread loads ahead of the network.
_AHEAD = 2


@dataclass(frozen=True)
class Problem:
    """Why an image has no result.

    Attributes:
        record: the image.
        reason: in one line, with the image's path.
        own: the picture itself is at fault: it cannot be read. Else a pipeline or network is that
            did not get along with it.
    """

    record: ImageRecord
    reason: str
    own: bool


@dataclass(frozen=True)
class Sample:
    """One image through the pipeline in ``seconds``, or why it could not be read."""

    record: ImageRecord
    data: Any
    problem: Problem | None = None
    seconds: float = 0.0


class RecordDataset(Dataset[Sample]):
    """Samples of image records. A picture that cannot be read becomes a problem, not a crash."""

    def __init__(self, records: Sequence[ImageRecord], pipeline: Pipeline) -> None:
        self._records = records
        self._pipeline = pipeline

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: int) -> Sample:
        return load(self._records[place], self._pipeline)


def load(record: ImageRecord, pipeline: Pipeline) -> Sample:
    """The sample of a record, or the problem with it; pixels of a source stay with the record.

    A damaged picture is told on stderr.
    """
    begun = time.perf_counter()
    complaints.listen()
    if record.source is not None:
        try:
            record = replace(record, pixels=record.source.read(), source=None)
        except UserError as error:
            return Sample(record, None, Problem(record, str(error), own=True))
    try:
        if record.pixels is None and os.path.getsize(record.path) == 0:
            return Sample(record, None, Problem(record, f"{record.path} is empty", own=True))
        data = pipeline(record)
        if isinstance(data, Mapping) and "img_info" in data:
            raise ValueError("it does not end with Collect, which leaves what the network takes")
        complaint = complaints.heard()
        if complaint is not None:
            complaints.tell(record.path, complaint)
        return Sample(record, data, seconds=time.perf_counter() - begun)
    except Exception as error:  # whatever a decoder or a pipeline step trips over
        complaints.heard()
        return Sample(record, None, _problem(record, error))


def _problem(record: ImageRecord, error: Exception) -> Problem:
    # What a decoder gives for a file that is no picture at all says nothing to a user.
    reason = one_line(error)
    told = "" if "NoneType" in reason else f" ({reason})"
    if record.pixels is not None or _readable(record.path):
        return Problem(
            record, f"{record.path} does not get through data.test.pipeline{told}", own=False
        )
    return Problem(record, f"{record.path} cannot be read as a picture{told}", own=True)


def _readable(path: str) -> bool:
    from bdd100k_models.visualization import read_picture

    try:
        read_picture(path)
    except UserError:
        return False
    return True


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    text = str(error).strip()
    return text.splitlines()[-1] if text else repr(error)


@dataclass(frozen=True)
class Batch:
    """Images that go through the model together."""

    records: list[ImageRecord]
    data: Any


@dataclass(frozen=True)
class Batches:
    """What a loader gives: the batches of some images, and problems met on the way.

    ``seconds`` is the time that reading them took.
    """

    batches: list[Batch]
    problems: list[Problem]
    seconds: float = 0.0

    def pin_memory(self) -> Batches:
        """The same with tensors in pinned memory, which copies to a GPU do not wait for."""
        pinned = [
            replace(batch, data=map_tensors(batch.data, torch.Tensor.pin_memory))
            for batch in self.batches
        ]
        return replace(self, batches=pinned)


@dataclass(frozen=True)
class Grouping:
    """Collates samples, those of one key together: nothing is padded to fit its neighbours."""

    pipeline: Pipeline

    def __call__(self, samples: Sequence[Sample]) -> Batches:
        by_key: dict[Hashable, list[Sample]] = {}
        for sample in samples:
            if sample.problem is None:
                by_key.setdefault(self.pipeline.key(sample.data), []).append(sample)
        batches = [
            Batch([s.record for s in same], self.pipeline.collate([s.data for s in same]))
            for same in by_key.values()
        ]
        problems = [sample.problem for sample in samples if sample.problem is not None]
        return Batches(batches, problems, sum(sample.seconds for sample in samples))


def to_device(data: Any, device: torch.device) -> Any:
    """A collated batch with its tensors on ``device``; mmcv's containers are opened."""
    if hasattr(data, "cpu_only"):
        return to_device(data.data[0], device)
    if isinstance(data, Mapping):
        return {key: to_device(value, device) for key, value in data.items()}
    if isinstance(data, list):
        return [to_device(item, device) for item in data]
    return map_tensors(data, lambda tensor: tensor.to(device, non_blocking=True))


def load_batches(
    records: Sequence[ImageRecord],
    pipeline: Pipeline,
    *,
    batch_size: int,
    workers: int,
    pin_memory: bool,
) -> Iterator[Batches]:
    """Batches of records in order, loaded by ``workers`` processes, or a thread where it is 0.

    Raises:
        UserError: a loader process was killed, or cannot be started.
    """
    if workers == 0:
        for batches in load_ahead(iter(records), pipeline, batch_size):
            yield batches.pin_memory() if pin_memory else batches
        return
    loader = DataLoader(
        RecordDataset(records, pipeline),
        batch_size=batch_size,
        shuffle=False,
        num_workers=workers,
        collate_fn=Grouping(pipeline),
        pin_memory=pin_memory,
        worker_init_fn=_set_up_worker if workers else None,
        multiprocessing_context=start_method(),
    )
    yield from supervised(lambda: iter(loader))


def supervised(start: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What the iterator of a ``DataLoader`` gives that ``start`` makes.

    Raises:
        UserError: a loader process was killed, or cannot be started.
    """
    try:
        batches = start()
        if threading.current_thread() is threading.main_thread():
            # torch's handler would raise wherever this thread is when a process dies, in the middle
            # of a step for instance; the iterator notices it in the right place.
            ignore_ended_children()
        yield from batches
    except (RuntimeError, OSError) as error:
        if not _is_about_workers(error):
            raise
        let_go(error)
        raise UserError(
            f"a process that loads pictures failed ({one_line(error)}); what is done is kept, "
            "--resume goes on. Ways out: --workers 0; more shared memory (docker run --shm-size "
            "8g); a higher ulimit -n"
        ) from error


def load_ahead(
    records: Iterator[ImageRecord], pipeline: Pipeline, batch_size: int
) -> Iterator[Batches]:
    """Batches of records in order; a thread of this process loads ahead of whoever takes them."""
    group = Grouping(pipeline)

    def load_some(some: list[ImageRecord]) -> Batches:
        return group([load(record, pipeline) for record in some])

    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
        ahead: list[Future[Batches]] = []
        while True:
            while len(ahead) < _AHEAD and (some := list(itertools.islice(records, batch_size))):
                ahead.append(pool.submit(load_some, some))
            if not ahead:
                return
            yield ahead.pop(0).result()


def _is_about_workers(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, OSError) or any(
        part in text
        for part in ("DataLoader worker", "shared memory", "bus error", "Too many open")
    )


def _set_up_worker(worker: int) -> None:
    """Leave signals to the main process; and OpenCV's threads, as workers are parallel already."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
