"""The inference loop: every image once, results on disk as they come, one file at the end.

The same path for one process and for many. Each rank takes its part of the images that no shard
has yet, and appends what they give to a shard of its own; rank 0 merges. See ``frames/writer.py``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models.engine.loading import make_loader, to_device
from bdd100k_models.engine.progress import Progress, clock
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json, write_json
from bdd100k_models.frames import writer
from bdd100k_models.tasks.base import ImageRecord, Prediction, Task, mask_file
from bdd100k_models.visualization import draw_frame, read_picture, save_picture
from bdd100k_models.visualization.pictures import drawn_name

if TYPE_CHECKING:
    from torch import nn

_RUN_FILE = "run.json"


@dataclass(frozen=True)
class Places:
    """Where a run writes.

    Attributes:
        out: folder of the output files.
        shards: folder of the shards, seen by all ranks; gone when the run is complete.
        pictures: folder of drawn pictures, or None.
    """

    out: Path
    shards: Path
    pictures: Path | None = None


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs: images per batch, loader processes, score that drawn labels must have."""

    batch_size: int = 1
    workers: int = 2
    min_score: float = 0.3


def run_identity(
    task: Task,
    cfg: Any,
    checkpoint_md5: str | None,
    records: Sequence[ImageRecord],
    precision: str,
    *,
    fused: bool = False,
) -> dict[str, Any]:
    """What two runs must agree on for their results to belong into one file."""
    images = hashlib.sha256()
    for record in records:
        images.update(f"{record.name}\0{record.path}\0{record.extra!r}\n".encode())
    settings = {"model": cfg.get("model"), "test": (cfg.get("data") or {}).get("test")}
    text = json.dumps(settings, sort_keys=True, default=str)
    return {
        "task": task.name,
        "config": hashlib.sha256(text.encode()).hexdigest(),
        "checkpoint": checkpoint_md5,
        "images": images.hexdigest(),
        "number of images": len(records),
        "precision": precision,
        "fused layers": fused,
        "options": task.run_options(),
    }


def check_pictures(
    task: Task, records: Sequence[ImageRecord], places: Places, ranks: Ranks
) -> None:
    """The pictures that a run writes stay in their folders, apart, and off the images it reads.

    Raises:
        UserError: on every rank; the images in question, and what to do.
    """
    masks, pictures = task.mask_folder(), places.pictures
    with ranks.together():
        if ranks.first and masks is not None:
            _check_targets(records, places.out, lambda name: mask_file(masks, name))
        if ranks.first and pictures is not None:
            _check_targets(records, pictures, drawn_name)


def _check_targets(
    records: Sequence[ImageRecord], folder: Path, target_name: Callable[[str], str]
) -> None:
    sources = {os.path.realpath(record.path) for record in records}
    taken: dict[str, str] = {}
    for record in records:
        name = PurePosixPath(record.name)
        if name.is_absolute() or ".." in name.parts:
            raise UserError(f"image {record.name!r}: its picture would be written outside {folder}")
        target = os.path.realpath(folder / target_name(record.name))
        if target in sources:
            raise UserError(
                f"{target} is one of the images to read and would be overwritten; "
                "choose another folder to write to"
            )
        if target in taken:
            raise UserError(
                f"{taken[target]} and {record.name} would both be written to {target}; "
                "rename one of the images"
            )
        taken[target] = record.name


@contextmanager
def only_run(places: Places, ranks: Ranks) -> Iterator[None]:
    """Nobody else writes to the shards meanwhile: rank 0 holds a lock that ends with its process.

    Raises:
        UserError: on every rank; another run is writing there now.
    """
    problem, lock = None, None
    if ranks.first:
        path = places.shards.with_name(f"{places.shards.name}.lock")
        lock = open(path, "wb")
        try:
            # Unlike flock's, this lock is not handed on to loader processes, which outlive a
            # killed run for some seconds.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            problem = (
                f"another run is writing to {places.out} now; wait for its end, or choose another "
                "--format-dir"
            )
    try:
        ranks.agree(problem)
        yield
    finally:
        if lock is not None:
            if problem is None:
                os.unlink(lock.name)
            lock.close()


def prepare_shards(
    places: Places, identity: dict[str, Any], ranks: Ranks, *, resume: bool, overwrite: bool
) -> None:
    """Make the folder of shards ready, on rank 0, for a new run or for one to go on with.

    Raises:
        UserError: on every rank; results of an interrupted run are there and neither ``resume``
            nor ``overwrite`` was asked for; or they are those of another run.
    """
    with ranks.together():
        if ranks.first:
            try:
                _prepare(places, identity, resume=resume, overwrite=overwrite)
            except OSError as error:
                raise UserError(f"cannot write to {places.shards}: {error.strerror}") from error


def _prepare(places: Places, identity: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
    run_file = places.shards / _RUN_FILE
    if run_file.is_file() and not overwrite:
        if not resume:
            raise UserError(
                f"{places.shards} holds results of an interrupted run; "
                "add --resume to go on with it, or --overwrite to start anew"
            )
        earlier = read_json(run_file)
        differing = [key for key in identity if earlier.get(key) != identity[key]]
        if differing:
            raise UserError(
                f"cannot resume: {places.shards} belongs to a run with another "
                f"{', '.join(differing)}; repeat that command, or add --overwrite to start anew"
            )
        return
    if places.shards.is_dir():
        shutil.rmtree(places.shards)
    write_json(run_file, identity)


def run(
    task: Task,
    model: nn.Module,
    records: Sequence[ImageRecord],
    pipeline: Callable[[ImageRecord], Any],
    ranks: Ranks,
    places: Places,
    options: LoopOptions,
) -> list[Path]:
    """Predict all records that no shard has yet, then merge; gives the output files (rank 0).

    Raises:
        UserError: on every rank; a picture cannot be read (what is done is kept), or a place
            cannot be written.
    """
    todo = writer.Shards(places.shards, len(records)).missing()
    ranks.barrier()  # nobody writes before everybody has looked
    mine = [records[index] for index in ranks.shard(todo)]
    attempt = len(list(places.shards.glob(f"*-rank{ranks.rank}.jsonl")))
    progress = Progress(
        len(records), done=len(records) - len(todo), scale=ranks.size, shown=ranks.first
    )
    started = time.monotonic()
    with ranks.together():  # a rank that met a problem lets the others do their part
        try:
            if mine:
                with writer.ShardWriter(places.shards, f"{attempt:03d}-rank{ranks.rank}") as shard:
                    _loop(task, model, mine, pipeline, places, options, shard, progress)
        finally:
            progress.close()
    if not ranks.first:
        return []
    spent = time.monotonic() - started
    if todo:
        print(f"{len(todo)} images in {clock(spent)}, {len(todo) / spent:.2f} images/s")
    files = writer.merge(writer.Shards(places.shards, len(records)), task.outputs(), places.out)
    task.finish(records, places.out)
    shutil.rmtree(places.shards)
    return files


def _loop(
    task: Task,
    model: nn.Module,
    records: Sequence[ImageRecord],
    pipeline: Callable[[ImageRecord], Any],
    places: Places,
    options: LoopOptions,
    shard: writer.ShardWriter,
    progress: Progress,
) -> None:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    loader = make_loader(
        records,
        pipeline,
        batch_size=options.batch_size,
        workers=min(options.workers, len(records)),
        pin_memory=device.type == "cuda",
    )
    problems: list[str] = []
    with torch.inference_mode():
        for loaded in loader:
            problems += loaded.problems
            for batch in loaded.batches:
                results = task.predict(model, to_device(batch.data, device))
                for record, result in zip(batch.records, results, strict=True):
                    prediction = task.convert(result, record)
                    _save(prediction, record, places, options)
                    shard.write(record.index, prediction.entries)
                progress.update(len(batch.records))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(
            f"{problems[0]}{more}; all other results are kept: replace it and add --resume"
        )


def _save(
    prediction: Prediction, record: ImageRecord, places: Places, options: LoopOptions
) -> None:
    """Write the pictures that belong to one image; they are whole before its line is written."""
    for name, array in prediction.pictures.items():
        save_picture(places.out / name, array)
    if places.pictures is not None:
        drawn = draw_frame(read_picture(record.path), prediction.frame, min_score=options.min_score)
        save_picture(places.pictures / drawn_name(record.name), drawn)
