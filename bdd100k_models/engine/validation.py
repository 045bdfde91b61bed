"""Official scores of a network under training, by the run that ``test.py`` makes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bdd100k_models import evaluation
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.predictor import Predictor
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.run import Places, RunOptions, run, score
from bdd100k_models.errors import UserError
from bdd100k_models.tasks.base import ImageRecord, Task

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


@dataclass(frozen=True)
class Validation:
    """What to score on the way.

    Attributes:
        task: what the network does.
        cfg: the config, its data root in place.
        options: of the task, settled.
        records: the pictures.
        root: the data root, where the labels are.
        folder: where results and scores are written; one evaluation overwrites the one before.
        device: where the network runs.
        ranks: the processes, which share the pictures.
        batch_size: pictures that go through the network together.
        workers: processes that load pictures; None leaves it to the run.
    """

    task: Task
    cfg: Config
    options: Any
    records: Sequence[ImageRecord]
    root: Path
    folder: Path
    device: torch.device
    ranks: Ranks
    batch_size: int = 1
    workers: int | None = None

    @classmethod
    def of(
        cls,
        task: Task,
        cfg: Config,
        root: Path,
        folder: Path,
        device: torch.device,
        ranks: Ranks,
        workers: int | None = None,
    ) -> Validation:
        """The validation set of a config, with its labels.

        Raises:
            UserError: pictures or labels are missing; the message says how to train without them.
        """
        try:
            options = task.settle(task.options(), cfg, split="val", images=False)
            if task.detector(options) is not None:
                raise UserError(
                    f"no annotations at {cfg.data.test.get('ann_file')}; run tools/prepare_data.py"
                )
            records = task.records(cfg, options)
            evaluation.ground_truth_path(task.name, root, "val")
        except UserError as error:
            raise UserError(f"{error}; or train without scores: --no-validate") from error
        batch_size = (cfg.data.get("val_dataloader") or {}).get("samples_per_gpu", 1)
        return cls(task, cfg, options, records, root, folder, device, ranks, batch_size, workers)

    def scores(self, network: nn.Module) -> Mapping[str, float]:
        """Official summary on rank 0, in percent, an empty one on the others.

        The weights go into a network that is built for inference, so that neither the one under
        training nor its random numbers notice.

        Raises:
            UserError: on every rank; images failed, or cannot be scored.
        """
        with torch.random.fork_rng():
            tested = build_network(self.task, self.cfg)
        tested.load_state_dict(network.state_dict())
        predictor = Predictor.of_network(
            self.task,
            self.cfg,
            tested,
            self.device,
            options=self.options,
            classes=tuple(network.CLASSES),  # type: ignore[arg-type]
        )
        places = Places(out=self.folder, shards=self.folder / ".shards")
        options = RunOptions(self.batch_size, self.workers, overwrite=True)
        outcome = run(predictor, self.records, self.ranks, places, options)
        summary: dict[str, float] = {}
        with self.ranks.together():
            if self.ranks.first:
                if outcome.failed:
                    print(f"note: {len(outcome.failed)} images failed and count as empty")
                result = score(predictor, self.records, outcome, self.folder, self.root, "val")
                result.save(self.folder / "scores.json")
                summary = {k: v for k, v in result.summary.items() if math.isfinite(v)}
        return summary
