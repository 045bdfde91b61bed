"""Which picture comes when, and with which random numbers: a function of seed, epoch and place.

So a run is the same for any number of loader processes, it goes on in the middle of an epoch after
a break as if there had been none, and many ranks see in a step the pictures that one process with
their batches together would.
"""

from __future__ import annotations

import hashlib
import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.parallel import DataContainer, collate
from torch.utils.data import DataLoader, Dataset, Sampler

from bdd100k_models.engine import complaints
from bdd100k_models.engine.loading import supervised
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.system import start_method


class Draw(NamedTuple):
    """One picture to load: its place in the dataset, and the seed of its augmentation."""

    sample: int
    seed: int


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's generators, those of all GPUs included."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Generators of the CPU under ``seed``; afterwards they are as they were before."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@dataclass(frozen=True)
class Unreadable:
    """In the place of a sample or batch: which picture cannot be read, and why."""

    problem: str


class SeededDataset(Dataset[Any]):
    """A dataset whose random augmentation depends on the draw alone.

    A picture or label that is not there or is damaged becomes :class:`Unreadable`, which crosses
    from a loader process in one piece; an exception would bring its traceback along.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: Draw) -> Any:
        complaints.listen()
        with seeded(draw.seed):
            try:
                sample = self.dataset[draw.sample]
                complaint = complaints.heard()
                if complaint is not None:
                    complaints.tell(describe(self.dataset, draw.sample), complaint)
                if isinstance(sample, Mapping) and "img_info" in sample:
                    return Unreadable("data.train.pipeline does not end with Collect")
                return sample
            except UserError as error:
                return Unreadable(str(error))
            except OSError as error:
                reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
                problem = f"cannot be read ({reason})"
            except Exception as error:  # whatever a decoder or a pipeline step trips over
                if "NoneType" in str(error):  # what a decoder gives for a damaged picture
                    problem = "cannot be read (a damaged picture or mask)"
                else:
                    reason = (str(error).strip() or repr(error)).splitlines()[-1]
                    problem = (
                        f"does not get through its pipeline ({type(error).__name__}: {reason})"
                    )
        return Unreadable(f"{describe(self.dataset, draw.sample)} of data.train {problem}")


def describe(dataset: Any, index: int) -> str:
    """The file name of a sample where the dataset knows it, as each package keeps it."""
    for attribute in ("data_infos", "img_infos", "db"):
        infos = getattr(dataset, attribute, None)
        if infos is None or index >= len(infos):
            continue
        info = {**infos[index], **(infos[index].get("img_info") or {})}
        for key in ("filename", "file_name", "image_file"):
            if key in info:
                return str(info[key])
    return f"sample {index}"


@dataclass(frozen=True)
class TrainingBatch:
    """What OpenMMLab's collating gives: a nest of dicts, lists, data containers and tensors."""

    data: Any

    def pin_memory(self) -> TrainingBatch:
        """The same with its tensors in pinned memory, which copies to a GPU do not wait for.

        A loader asks its batches for it, and passes over what is in data containers else.
        """
        return TrainingBatch(_pinned(self.data))


def _pinned(data: Any) -> Any:
    if isinstance(data, torch.Tensor):
        return data.pin_memory()
    if isinstance(data, DataContainer):
        return DataContainer(
            data.data if data.cpu_only else _pinned(data.data),
            data.stack,
            data.padding_value,
            data.cpu_only,
            data.pad_dims,
        )
    if isinstance(data, Mapping):
        return {key: _pinned(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_pinned(item) for item in data]
    return data


class TrainingLoader(DataLoader[Any]):
    """Batches; stops at a picture that cannot be read, and where a loader process is gone.

    Iterating raises :class:`UserError` then.
    """

    def fingerprint(self) -> str:
        """How many samples there are, and a digest of the names of their pictures, in order."""
        samples = self.dataset.dataset  # type: ignore[attr-defined]
        digest = hashlib.sha256()
        for index in range(len(samples)):
            digest.update(f"{Path(describe(samples, index)).name}\0".encode())
        return f"{len(samples)} ({digest.hexdigest()[:8]})"

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in supervised(super().__iter__):
            if isinstance(batch, Unreadable):
                raise UserError(f"{batch.problem}; mend it, and --resume goes on")
            yield batch.data


def collate_readable(samples: list[Any], images: int) -> TrainingBatch | Unreadable:
    """A batch of ``images`` samples, or the first of them that is unreadable."""
    bad = next((sample for sample in samples if isinstance(sample, Unreadable)), None)
    if bad is not None:
        return bad
    return TrainingBatch(collate(samples, samples_per_gpu=images))


class TrainingSampler(Sampler[Draw]):
    """The pictures of this rank, whole batches at a time, in an order that the seed decides.

    Pictures of one ``group`` (MMDetection groups by orientation, to pad less) share a batch. What
    does not fill a last batch is left out where ``endless`` (the next round brings it), else it
    is filled up from the beginning.

    Args:
        groups: group of each picture, (N,) int.
        batch: pictures of one step and rank.
        ranks: this process among the others.
        seed: what the order follows from.
        endless: round after round without end, for runners that count steps, not epochs.
    """

    def __init__(
        self, groups: Sequence[int] | np.ndarray, batch: int, ranks: Ranks, seed: int, endless: bool
    ) -> None:
        self._groups = np.asarray(groups)
        self._batch = batch
        self._ranks = ranks
        self._seed = seed
        self._endless = endless
        self._epoch = 0
        self._steps_done = 0
        self.steps = len(self._steps_of(0))

    def __len__(self) -> int:
        """Draws of this rank in one epoch."""
        return self.steps * self._batch

    def start(self, epoch: int, step: int = 0) -> None:
        """Where the next iteration begins."""
        self._epoch = epoch
        self._steps_done = step

    def __iter__(self) -> Iterator[Draw]:
        epoch, done = self._epoch, self._steps_done
        while True:
            steps = self._steps_of(epoch)
            for number in range(done, len(steps)):
                for place, index in list(enumerate(steps[number]))[
                    self._ranks.rank :: self._ranks.size
                ]:
                    yield Draw(int(index), self._draw_seed(epoch, number, place))
            if not self._endless:
                return
            epoch, done = epoch + 1, 0

    def _draw_seed(self, epoch: int, step: int, place: int) -> int:
        whole = self._batch * self._ranks.size
        number = (epoch * self.steps + step) * whole + place
        return (self._seed * 1_000_003 + number) % 2**63

    def _steps_of(self, epoch: int) -> list[np.ndarray]:
        """Indices of each step of an epoch, of all ranks together."""
        generator = np.random.default_rng([self._seed, epoch])
        whole = self._batch * self._ranks.size
        steps: list[np.ndarray] = []
        for group in np.unique(self._groups):
            order = generator.permutation(np.flatnonzero(self._groups == group))
            full = len(order) // whole
            if len(order) % whole and (full == 0 or not self._endless):
                full += 1
            order = np.resize(order, full * whole)
            steps += list(order.reshape(full, whole))
        return [steps[i] for i in generator.permutation(len(steps))]


def make_training_loader(
    dataset: Any,
    *,
    batch: int,
    workers: int,
    ranks: Ranks,
    seed: int,
    endless: bool,
    pin_memory: bool,
    persistent_workers: bool = True,
) -> TrainingLoader:
    """Collated batches of this rank; ``loader.sampler`` is a :class:`TrainingSampler`."""
    groups = getattr(dataset, "flag", None)
    if groups is None:
        groups = np.zeros(len(dataset), dtype=np.int64)
    return TrainingLoader(
        SeededDataset(dataset),
        batch_size=batch,
        sampler=TrainingSampler(groups, batch, ranks, seed, endless),
        num_workers=workers,
        collate_fn=partial(collate_readable, images=batch),
        pin_memory=pin_memory,
        worker_init_fn=_quiet_worker if workers else None,
        persistent_workers=persistent_workers and workers > 0,
        multiprocessing_context=start_method() if workers else None,
    )


def _quiet_worker(worker: int) -> None:
    """Leave Ctrl-C to the main process, which saves first; and OpenCV's threads to others."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
