"""A task's ``test.py`` in this process, and what it spends.

``python -m bdd100k_models.benchmarks.timed_test TASK … -- ARGUMENTS`` runs the command itself, with
a clock around the steps of its loop.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bdd100k_models.benchmarks.plain_loop import ALONE
from bdd100k_models.benchmarks.stages import Spent, Stages, alone, first_rank
from bdd100k_models.files import write_json
from bdd100k_models.system import peak_memory


def build_parser() -> argparse.ArgumentParser:
    """The arguments of the process."""
    parser = argparse.ArgumentParser(
        prog="timed_test", description=__doc__, epilog="Then --, and the arguments of test.py."
    )
    parser.add_argument("task")
    parser.add_argument("--report", type=Path, required=True, help="JSON file of the figures")
    parser.add_argument("--started", type=float, required=True, help="when the command was given")
    return parser


class Watch:
    """The run of a process: when its loop began, and with what.

    Attributes:
        predictor, records: of the run.
        begun, ended: seconds since the epoch.
        memory: at the end, see :func:`bdd100k_models.system.peak_memory`.
        stages: of the run.
    """

    def __init__(self) -> None:
        self.predictor: Any = None
        self.records: Sequence[Any] = ()
        self.begun = self.ended = 0.0
        self.memory = (0.0, 0.0)
        self.stages = Stages()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within, a run of the engine is watched."""
        from bdd100k_models.engine import run as engine
        from bdd100k_models.engine.predictor import Predictor
        from bdd100k_models.frames import writer

        run, load_batches, attempt = engine.run, engine.load_batches, Predictor.attempt
        stages = self.stages

        def watched(predictor: Any, records: Any, *args: Any, **options: Any) -> Any:
            self.predictor, self.records = predictor, records
            self.begun = time.time()
            outcome = run(predictor, records, *args, **options)
            self.ended, self.memory = time.time(), peak_memory()
            return outcome

        def loaded(*args: Any, **options: Any) -> Iterator[Any]:
            return stages.steps("loading", load_batches(*args, **options))

        def attempted(predictor: Any, batch: Any) -> Iterator[Any]:
            return stages.steps("forward", attempt(predictor, batch))

        with ExitStack() as stack:
            for owner, name, timed in (
                (engine, "run", watched),
                (engine, "load_batches", loaded),
                (Predictor, "attempt", attempted),
                (Predictor, "convert", stages.calls("conversion", Predictor.convert)),
                (engine, "save_picture", stages.calls("writing", engine.save_picture)),
                (writer.ShardWriter, "write", stages.calls("writing", writer.ShardWriter.write)),
                (writer, "merge", stages.calls("writing", writer.merge)),
            ):
                stack.enter_context(patch.object(owner, name, timed))
            yield


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; then time its parts alone."""
    given = list(sys.argv[1:] if argv is None else argv)
    split = given.index("--")
    args = build_parser().parse_args(given[:split])
    from bdd100k_models.cli.test import main as test

    watch = Watch()
    with watch.watching():
        status = test(args.task, given[split + 1 :])
    if status or not first_rank():
        return status
    forward, decoding = parts_alone(watch)
    spent = Spent(
        images=len(watch.records),
        start_up=watch.begun - args.started,
        seconds=watch.ended - watch.begun,
        memory_mib=watch.memory[0],
        loader_mib=watch.memory[1],
        stages=dict(watch.stages.seconds),
        forward=forward[0],
        forward_cpu=forward[1],
        decoding_cpu=decoding,
    )
    write_json(args.report, spent.figures())
    return 0


def parts_alone(watch: Watch) -> tuple[tuple[float, float], float]:
    """Seconds and CPU seconds of a forward pass, CPU seconds of decoding: of one picture."""
    import torch

    from bdd100k_models.engine.loading import Grouping, load, to_device

    predictor = watch.predictor
    records = list(watch.records[:ALONE])
    decoding = alone(lambda record: load(record, predictor.pipeline), records)[1]
    group = Grouping(predictor.pipeline)
    batches = [group([load(record, predictor.pipeline)]).batches[0].data for record in records]

    def predict(batch: Any) -> None:
        with torch.inference_mode():
            predictor.forward(to_device(batch, predictor.device))
        if predictor.device.type == "cuda":
            torch.cuda.synchronize()

    return alone(predict, batches), decoding


if __name__ == "__main__":
    raise SystemExit(main())
