"""From image records to batches on a device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from mmcv.parallel import DataContainer, collate
from torch.utils.data import DataLoader, Dataset

from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.tasks.base import ImageRecord, Task

if TYPE_CHECKING:
    from mmcv import Config


def build_pipeline(task: Task, cfg: Config) -> Callable[[ImageRecord], Any]:
    """The test pipeline of a config.

    Raises:
        UserError: a step that the task's package does not know, or wrong arguments of one.
    """
    try:
        return task.pipeline(cfg)
    except (KeyError, TypeError, AssertionError, ValueError, AttributeError) as error:
        reason = str(error) or "it is not a list of steps"
        raise UserError(f"{cfg.filename}: data.test.pipeline cannot be built: {reason}") from error


@dataclass(frozen=True)
class Sample:
    """One image through the pipeline, or why it could not be read."""

    record: ImageRecord
    data: Any
    problem: str | None = None


class RecordDataset(Dataset[Sample]):
    """Samples of image records. A picture that cannot be read becomes a problem, not a crash."""

    def __init__(
        self, records: Sequence[ImageRecord], pipeline: Callable[[ImageRecord], Any]
    ) -> None:
        self._records = records
        self._pipeline = pipeline

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: int) -> Sample:
        record = self._records[place]
        try:
            if os.path.getsize(record.path) == 0:
                return Sample(record, None, f"{record.path} is empty")
            return Sample(record, self._pipeline(record))
        except Exception as error:  # whatever a decoder or a pipeline step trips over
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
            # What a decoder gives for a file that is no picture at all says nothing to a user.
            told = "" if "NoneType" in reason else f" ({reason})"
            return Sample(record, None, f"{record.path} cannot be read as a picture{told}")


@dataclass(frozen=True)
class Batch:
    """Images that go through the model together, all of one tensor shape."""

    records: list[ImageRecord]
    data: Any


@dataclass(frozen=True)
class Batches:
    """What a loader gives: the batches of some images, and problems met on the way."""

    batches: list[Batch]
    problems: list[str]


def group(samples: list[Sample]) -> Batches:
    """Collate samples, those of one shape together: nothing is padded to fit its neighbours."""
    by_shape: dict[tuple[Any, ...], list[Sample]] = {}
    for sample in samples:
        if sample.problem is None:
            by_shape.setdefault(_shapes(sample.data), []).append(sample)
    batches = [
        Batch([s.record for s in same], collate([s.data for s in same], samples_per_gpu=len(same)))
        for same in by_shape.values()
    ]
    return Batches(batches, [s.problem for s in samples if s.problem is not None])


def _shapes(data: Any) -> tuple[Any, ...]:
    if isinstance(data, DataContainer):
        return _shapes(data.data)
    if isinstance(data, torch.Tensor):
        return (tuple(data.shape),)
    if isinstance(data, Mapping):
        return tuple(part for key in data if key != "img_metas" for part in _shapes(data[key]))
    if isinstance(data, (list, tuple)):
        return tuple(part for item in data for part in _shapes(item))
    return ()


def to_device(data: Any, device: torch.device) -> Any:
    """A collated batch with its containers opened and its tensors on ``device``."""
    if isinstance(data, DataContainer):
        return to_device(data.data[0], device)
    if isinstance(data, torch.Tensor):
        return data.to(device, non_blocking=True)
    if isinstance(data, Mapping):
        return {key: to_device(value, device) for key, value in data.items()}
    if isinstance(data, list):
        return [to_device(item, device) for item in data]
    return data


def make_loader(
    records: Sequence[ImageRecord],
    pipeline: Callable[[ImageRecord], Any],
    *,
    batch_size: int,
    workers: int,
    pin_memory: bool,
) -> DataLoader[Sample]:
    """Batches of records in order."""
    return DataLoader(
        RecordDataset(records, pipeline),
        batch_size=batch_size,
        shuffle=False,
        num_workers=workers,
        collate_fn=group,
        pin_memory=pin_memory,
        worker_init_fn=_single_threaded if workers else None,
    )


def share_cores(device: torch.device, ranks: Ranks, workers: int) -> None:
    """On a CPU, leave a core to each loader process, unless ``OMP_NUM_THREADS`` says otherwise.

    torch's threads wait for each other by spinning, so one that has to share its core with a
    loader slows all of them down several times. torchrun sets the variable itself.
    """
    if device.type == "cpu" and ranks.size == 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - workers))


def _single_threaded(worker: int) -> None:
    """Loader workers are parallel already; OpenCV's own threads would only get in the way."""
    import cv2

    cv2.setNumThreads(0)
