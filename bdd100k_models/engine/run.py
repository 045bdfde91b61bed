"""One run: every image once, results on disk as they come, one file at the end, scores.

The same path for one process and for many, for ``test.py`` and for validation while training. Each
rank takes its part of the images that no shard has yet, and appends what they give to a shard of
its own; rank 0 merges. See ``frames/writer.py``. Of videos a rank takes whole ones, frame by frame,
and one that was interrupted begins anew, so that neither ranks nor interruptions change identities.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist

from bdd100k_models.engine import devices
from bdd100k_models.engine.loading import Problem, load_batches
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.engine.progress import Progress, clock
from bdd100k_models.engine.ranks import Ranks, hold_for_all
from bdd100k_models.errors import UserError
from bdd100k_models.files import read_json, write_json
from bdd100k_models.frames import writer
from bdd100k_models.tasks.base import ImageRecord, Prediction, Split, mask_file
from bdd100k_models.tasks.videos import by_video, frame_rate_of
from bdd100k_models.visualization import draw_frame, read_picture, save_picture
from bdd100k_models.visualization.pictures import check_targets, drawn_name
from bdd100k_models.visualization.tracks import TrackPainter
from bdd100k_models.visualization.videos import VideoWriter
from bdd100k_models.zoo.public import BESIDE

if TYPE_CHECKING:
    from bdd100k_models.evaluation import Scores

_RUN_FILE = "run.json"
_ERRORS_FILE = "errors.json"

#: Pictures in a row that the network or its pipeline may fail on before the run gives up.
_PATIENCE = 10

#: Processes that load pictures for one GPU.
_MOST_WORKERS = 8

#: Finished results that may wait to be written, for each thread that writes.
_WAITING = 4


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
class RunOptions:
    """How a run goes.

    Attributes:
        batch_size: images that go through the network together.
        workers: processes that load pictures; None: see :func:`plan_cores`.
        min_score: of labels that are drawn.
        resume: go on with an interrupted run; images that failed are tried again.
        overwrite: drop an interrupted run's results.
        strict: stop at the first image that fails.
    """

    batch_size: int = 1
    workers: int | None = None
    min_score: float = 0.3
    resume: bool = False
    overwrite: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a run, the same on all ranks.

    Attributes:
        files: the output files.
        failed: names of images that have no result, and why.
        drawn: pictures that were drawn.
    """

    files: list[Path] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    drawn: int = 0


def run(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    ranks: Ranks,
    places: Places,
    options: RunOptions,
) -> Outcome:
    """Predict all records that no shard has yet, merge, and write what needs all of them.

    An image that fails does not end the run: its frame is there without labels, ``errors.json``
    says why, and the shards stay, so that ``resume`` tries it again.

    Raises:
        UserError: on every rank; pictures would be written over each other or over the images,
            another run writes to the same folder, there are results of an interrupted one, a place
            cannot be written, or image after image fails.
    """
    with ranks.together():
        if predictor.task.facts.videos:
            _check_videos(predictor, ranks, options)
        if ranks.first:
            _check_pictures(predictor, records, places)
    # The lock of rank 0 ends with its process.
    busy = (
        f"another run is writing to {places.out} now; wait for its end, or choose another "
        "--format-dir"
    )
    with hold_for_all(places.shards.with_name(f"{places.shards.name}.lock"), busy, ranks):
        with ranks.together():
            found = _prepare(predictor, records, places, options) if ranks.first else None
        todo = ranks.broadcast(found)
        assert todo is not None  # rank 0 has found it
        return _run(predictor, records, ranks, places, options, todo)


def _run(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    ranks: Ranks,
    places: Places,
    options: RunOptions,
    todo: Todo,
) -> Outcome:
    mine = _share(predictor, [records[index] for index in todo.images], ranks)
    threads = torch.get_num_threads()
    plan = plan_cores(predictor, ranks, options.workers)
    progress = Progress(
        len(records), done=len(records) - len(todo.images), scale=ranks.size, shown=ranks.first
    )
    started = time.monotonic()
    with ranks.together():  # a rank that met a problem lets the others do their part
        try:
            if mine:
                name = f"{todo.attempt:03d}-rank{ranks.rank}"
                with writer.ShardWriter(places.shards, name) as shard:
                    _Loop(predictor, places, options, shard, progress, plan).run(mine)
        finally:
            progress.close()
            torch.set_num_threads(threads)  # training, which validates meanwhile, has its own
    outcome = Outcome()
    with ranks.together():
        if ranks.first:
            if todo.images:
                spent = time.monotonic() - started
                rate = len(todo.images) / spent
                print(f"{len(todo.images)} images in {clock(spent)}, {rate:.2f} images/s")
            outcome = _complete(predictor, records, places, options)
    return ranks.broadcast(outcome)


def _share(predictor: Predictor, records: Sequence[ImageRecord], ranks: Ranks) -> list[ImageRecord]:
    """This rank's part: every so-many-th picture, or whole videos, about as many frames for each.

    The longest video goes to the rank that has least, and so on.
    """
    if not predictor.task.facts.videos:
        return ranks.shard(records)
    load = [0] * ranks.size
    mine: list[list[ImageRecord]] = []
    for video in sorted(by_video(records), key=len, reverse=True):
        rank = load.index(min(load))
        load[rank] += len(video)
        if rank == ranks.rank:
            mine.append(video)
    mine.sort(key=lambda video: video[0].index)
    return [record for video in mine for record in video]


def _complete(
    predictor: Predictor, records: Sequence[ImageRecord], places: Places, options: RunOptions
) -> Outcome:
    """Merge, draw what an earlier run did not, and keep the shards where images failed."""
    converter = predictor.converter
    shards = writer.Shards(places.shards, len(records))
    _tell_whose(predictor, places.out)
    files = writer.merge(shards, converter.outputs, places.out)
    converter.finish(records, places.out)
    drawn = 0
    if places.pictures is not None and predictor.task.facts.videos:
        drawn = _draw_videos(shards, records, places.pictures, converter.outputs[0].key, options)
    elif places.pictures is not None:
        drawn = _draw_missing(shards, records, places, converter.outputs[0].key, options)
    failed = {records[index].name: reason for index, reason in shards.errors().items()}
    errors = places.out / _ERRORS_FILE
    if failed:
        write_json(errors, failed)
    else:
        errors.unlink(missing_ok=True)
        shutil.rmtree(places.shards)
    return Outcome(files, failed, drawn)


def _tell_whose(predictor: Predictor, out: Path) -> None:
    """Results of weights of others must not be taken for the zoo's, and the other way round."""
    path = out / BESIDE
    if predictor.public is None:
        path.unlink(missing_ok=True)
    else:
        write_json(path, predictor.public.facts())


def _draw_missing(
    shards: writer.Shards,
    records: Sequence[ImageRecord],
    places: Places,
    key: str,
    options: RunOptions,
) -> int:
    """Draw the images that an interrupted start of this run did not; gives how many are drawn."""
    assert places.pictures is not None
    begun = (places.shards / _RUN_FILE).stat().st_mtime
    failed = shards.errors()
    for record, entries in zip(records, shards, strict=True):
        target = places.pictures / drawn_name(record.name)
        is_drawn = target.is_file() and target.stat().st_mtime >= begun
        if record.index not in failed and not is_drawn:
            save_picture(target, _drawn(record, entries[key], options))
    return len(records) - len(failed)


def _draw_videos(
    shards: writer.Shards,
    records: Sequence[ImageRecord],
    folder: Path,
    key: str,
    options: RunOptions,
) -> int:
    """Draw the tracks of all videos, once all are known; gives how many pictures are drawn.

    A video becomes a folder of pictures, and ``VIDEO.mp4`` beside it.
    """
    failed = shards.errors()
    drawn = 0
    painter, film = TrackPainter(options.min_score), None
    shown = None
    try:
        for record, entries in zip(records, shards, strict=True):
            assert record.place is not None
            if record.place.video != shown:
                shown = record.place.video
                painter.reset()
                if film is not None:
                    film.close()
                film = VideoWriter(folder / f"{shown}.mp4", frame_rate_of(record))
            if record.index in failed:
                continue
            assert film is not None
            picture = painter.draw(_pixels(record), entries[key])
            save_picture(folder / drawn_name(record.name), picture)
            film.write(picture)
            drawn += 1
    finally:
        if film is not None:
            film.close()
    return drawn


def _drawn(record: ImageRecord, frame: dict[str, Any], options: RunOptions) -> np.ndarray:
    return draw_frame(_pixels(record), frame, min_score=options.min_score)


def _pixels(record: ImageRecord) -> np.ndarray:
    if record.pixels is not None:
        return record.pixels
    return record.source.read() if record.source is not None else read_picture(record.path)


def score(
    predictor: Predictor,
    records: Sequence[ImageRecord],
    outcome: Outcome,
    out: Path,
    root: Path,
    split: Split,
    nproc: int | None = None,
) -> Scores:
    """Official scores of what a run wrote for its records, on all cores.

    They come from a fresh process where this one holds a GPU or is a rank, as the evaluators fork.

    Raises:
        UserError: the ground truth is missing, or does not fit.
    """
    task = predictor.task
    left_out = {} if task.scores_failed else outcome.failed
    names = [record.name for record in records if record.name not in left_out]
    apart = torch.cuda.is_initialized() or (dist.is_available() and dist.is_initialized())
    cores = nproc or devices.cores()
    return task.evaluate(predictor.converter, out, root, split, names, cores, apart=apart)


# -- before anything is computed ------------------------------------------------------------------


def run_identity(predictor: Predictor, records: Sequence[ImageRecord]) -> dict[str, Any]:
    """What two runs must agree on for their results to belong into one file."""
    images = hashlib.sha256()
    for record in records:
        images.update(f"{record.name}\0{record.path}\0{record.extra!r}\n".encode())
    cfg, detector = predictor.cfg, predictor.detector
    config = {"model": cfg.get("model"), "test": (cfg.get("data") or {}).get("test")}
    text = json.dumps(config, sort_keys=True, default=str)
    return {
        "task": predictor.task.name,
        "config": hashlib.sha256(text.encode()).hexdigest(),
        "checkpoint": predictor.checkpoint_md5,
        "images": images.hexdigest(),
        "number of images": len(records),
        "precision": predictor.precision,
        "fused layers": predictor.fused,
        "classes": list(predictor.classes),
        "options": predictor.converter.identity(),
        **({"public weights": predictor.public.facts()} if predictor.public is not None else {}),
        **({"detector checkpoint": detector.checkpoint_md5} if detector is not None else {}),
    }


def _check_videos(predictor: Predictor, ranks: Ranks, options: RunOptions) -> None:
    """Options go with frames that come one after the other.

    Raises:
        UserError: those that do not.
    """
    if options.batch_size > 1:
        raise UserError(
            f"--batch-size {options.batch_size}: frames of a video go through the network one by "
            "one; leave it out, and use more processes for more videos at once"
        )
    carried = getattr(predictor.options, "carry_prototypes", False)
    if carried and (ranks.size > 1 or options.resume):
        raise UserError(
            "--carry-prototypes makes a video depend on all before it: one process, without "
            "--resume"
        )


def _check_pictures(predictor: Predictor, records: Sequence[ImageRecord], places: Places) -> None:
    """The pictures that a run writes stay in their folders, apart, and off the images it reads.

    Raises:
        UserError: the images in question, and what to do.
    """
    sources = [(record.name, record.path) for record in records]
    masks = predictor.converter.mask_folder
    if masks is not None:
        check_targets(sources, places.out, lambda name: mask_file(masks, name))
    if places.pictures is not None:
        check_targets(sources, places.pictures)


@dataclass(frozen=True)
class Todo:
    """What is left to do: places of images, and the number of this attempt at the run."""

    images: list[int]
    attempt: int


def _prepare(
    predictor: Predictor, records: Sequence[ImageRecord], places: Places, options: RunOptions
) -> Todo:
    """Make the folder of shards ready for a new run, or for one to go on with.

    Raises:
        UserError: results of an interrupted run are there and neither ``resume`` nor ``overwrite``
            was asked for; they are those of another run; or the folder cannot be written.
    """
    identity = run_identity(predictor, records)
    try:
        _prepare_folder(places, identity, options)
    except OSError as error:
        raise UserError(f"cannot write to {places.shards}: {error.strerror}") from error
    shards = writer.Shards(places.shards, len(records))
    attempts = {path.name.partition("-")[0] for path in shards.paths}
    todo = shards.missing(retry_errors=True)
    if predictor.task.facts.videos:
        again = set(todo)
        videos = [[record.index for record in video] for video in by_video(records)]
        # Frames of two attempts in one video: of the later one, some are missing.
        todo = [
            i for video in videos if again.intersection(video) or shards.apart(video) for i in video
        ]
    return Todo(todo, len(attempts))


def _prepare_folder(places: Places, identity: dict[str, Any], options: RunOptions) -> None:
    run_file = places.shards / _RUN_FILE
    if run_file.is_file() and not options.overwrite:
        if not options.resume:
            raise UserError(
                f"{places.shards} holds results of an interrupted run; "
                "add --resume to go on with it, or --overwrite to start anew"
            )
        earlier = read_json(run_file)
        known = earlier if isinstance(earlier, dict) else {}
        differing = [key for key in identity if known.get(key) != identity[key]]
        if differing:
            raise UserError(
                f"cannot resume: {places.shards} belongs to a run with another "
                f"{', '.join(differing)}; repeat that command, or add --overwrite to start anew"
            )
        return
    if places.shards.is_dir():
        shutil.rmtree(places.shards)
    write_json(run_file, identity)


@dataclass(frozen=True)
class Plan:
    """Who works on a rank.

    Attributes:
        workers: processes that load pictures.
        writers: threads that convert and write.
        balance: what shares the cores of a CPU between network and loading, if it is to.
    """

    workers: int
    writers: int
    balance: Balance | None = None


class Balance:
    """Leaves the loading thread a core of its own where the network is no more work than it.

    The threads of a network wait for each other, so one that shares its core with a loader holds
    all of them up. A large network does better with every core all the same: loading is little
    beside it.

    Args:
        threads: of the network, as it begins.
    """

    #: Batches that decide; the first one is slower than those to come.
    _LOOK = slice(1, 4)

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._seen: list[tuple[float, float]] = []

    def note(self, loading: float, forward: float) -> None:
        """Seconds that a batch took to load, and to go through the network."""
        if len(self._seen) >= self._LOOK.stop:
            return
        self._seen.append((loading, forward))
        if len(self._seen) == self._LOOK.stop:
            looked = self._seen[self._LOOK]
            if sum(loading for loading, _ in looked) > sum(forward for _, forward in looked):
                torch.set_num_threads(max(1, self._threads - 1))


def plan_cores(predictor: Predictor, ranks: Ranks, workers: int | None) -> Plan:
    """Share the cores of this rank out; torch's threads are set here.

    On a GPU the cores are for loading and writing. On a CPU they are for the network, and a thread
    loads beside it: a process would cost more to start than it saves.
    """
    cores = devices.cores(ranks)
    if predictor.device.type != "cpu":
        own = min(_MOST_WORKERS, max(1, cores - 1))
        return Plan(own if workers is None else workers, writers=min(4, cores))
    devices.use_cores(predictor.device, ranks)
    balance = None
    if workers is None and torch.get_num_threads() == cores > 1:
        balance = Balance(cores)
    return Plan(workers or 0, writers=1, balance=balance)


# -- the loop -------------------------------------------------------------------------------------


class _Loop:
    """Images through the network on this thread; conversion, drawing and writing on others."""

    def __init__(
        self,
        predictor: Predictor,
        places: Places,
        options: RunOptions,
        shard: writer.ShardWriter,
        progress: Progress,
        plan: Plan,
    ) -> None:
        self._plan = plan
        self._predictor = predictor
        self._places = places
        self._options = options
        self._shard = shard
        self._progress = progress
        self._lock = threading.Lock()
        self._in_a_row = 0

    def run(self, records: Sequence[ImageRecord]) -> None:
        """All of ``records``.

        Raises:
            UserError: a place cannot be written, or image after image fails.
        """
        plan = self._plan
        # Frames of a video go through the network one by one.
        batch_size = 1 if self._predictor.task.facts.videos else self._options.batch_size
        batches = load_batches(
            records,
            self._predictor.pipeline,
            batch_size=batch_size,
            workers=min(plan.workers, len(records)),
            pin_memory=self._predictor.device.type == "cuda",
        )
        waiting: list[Future[None]] = []
        with ThreadPoolExecutor(plan.writers, thread_name_prefix="write") as pool:
            try:
                for loaded in batches:
                    for problem in loaded.problems:
                        self._note(problem)
                        self._write_problem(problem)
                    begun = time.perf_counter()
                    for batch in loaded.batches:
                        for record, raw in self._predictor.attempt(batch):
                            waiting.append(pool.submit(self._finish, record, raw))
                    if plan.balance is not None:
                        plan.balance.note(loaded.seconds, time.perf_counter() - begun)
                    while waiting and (waiting[0].done() or len(waiting) > _WAITING * plan.writers):
                        waiting.pop(0).result()
                for future in waiting:
                    future.result()
            except BaseException:
                for future in waiting:
                    future.cancel()
                raise

    def _finish(self, record: ImageRecord, raw: Any) -> None:
        """Write one image's result, or what went wrong with it."""
        made = raw if isinstance(raw, Problem) else self._predictor.convert(raw, record)
        if isinstance(made, Problem):
            self._note(made)
            self._write_problem(made)
            return
        with self._lock:
            self._in_a_row = 0
        self._save(made, record)
        with self._lock:
            self._shard.write(record.index, made.entries)
            self._progress.update(1)

    def _note(self, problem: Problem) -> None:
        """Count problems that are not the picture's own.

        Raises:
            UserError: too many in a row, or the first of all with ``strict``.
        """
        with self._lock:
            self._in_a_row += not problem.own
            if self._options.strict:
                raise UserError(f"{problem.reason}; what is done is kept, --resume goes on")
            if self._in_a_row >= _PATIENCE:
                raise UserError(
                    f"{_PATIENCE} images in a row failed, the last: {problem.reason}; this is not "
                    "the pictures' fault: look at the config. What is done is kept"
                )

    def _write_problem(self, problem: Problem) -> None:
        nothing = self._predictor.nothing(problem.record)
        for name, array in nothing.pictures.items():
            save_picture(self._places.out / name, array)
        with self._lock:
            self._shard.write(problem.record.index, nothing.entries, error=problem.reason)
            self._progress.update(1)

    def _save(self, prediction: Prediction, record: ImageRecord) -> None:
        """Write the pictures of one image; they are whole before its line is written."""
        for name, array in prediction.pictures.items():
            save_picture(self._places.out / name, array)
        folder = self._places.pictures
        # Tracks are drawn when all frames are there: see _draw_videos.
        if folder is not None and not self._predictor.task.facts.videos:
            frame = prediction.entries[self._predictor.converter.outputs[0].key]
            save_picture(folder / drawn_name(record.name), _drawn(record, frame, self._options))
