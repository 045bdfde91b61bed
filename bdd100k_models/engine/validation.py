"""Official scores of a network under training, by the path that ``test.py`` takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bdd100k_models import evaluation
from bdd100k_models.engine import inference
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.precision import apply_precision
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.errors import UserError
from bdd100k_models.tasks.base import ImageRecord, Task

if TYPE_CHECKING:
    from mmcv import Config
    from torch import nn


@dataclass(frozen=True)
class Validation:
    """What to score on the way.

    Attributes:
        task: a task configured as for ``test.py``, bound to ``cfg``.
        cfg: the config, its data root in place.
        records: the pictures.
        root: the data root, where the labels are.
        folder: where results and scores are written; one evaluation overwrites the one before.
        device: where the network runs.
        ranks: the processes, which share the pictures.
        loop: batch size and loader processes.
    """

    task: Task
    cfg: Config
    records: Sequence[ImageRecord]
    root: Path
    folder: Path
    device: torch.device
    ranks: Ranks
    loop: inference.LoopOptions

    def check(self) -> None:
        """The labels are there.

        Raises:
            UserError: they are not; the message says how to train without them.
        """
        try:
            evaluation.ground_truth_path(self.task.name, self.root, "val")
        except UserError as error:
            raise UserError(f"{error}; or train without scores: --no-validate") from error

    def scores(self, network: nn.Module) -> Mapping[str, float]:
        """Official summary on rank 0, in percent, an empty one on the others.

        The weights go into a network that is built for inference, so that neither the one under
        training nor its random numbers notice.
        """
        with torch.random.fork_rng():
            tested = build_network(self.task, self.cfg)
        tested.load_state_dict(network.state_dict())
        tested.CLASSES = network.CLASSES
        self.task.adapt(tested)
        tested = tested.to(self.device).eval()
        places = inference.Places(out=self.folder, shards=self.folder / ".shards")
        identity = inference.run_identity(self.task, self.cfg, None, self.records, "auto")
        inference.prepare_shards(places, identity, self.ranks, resume=False, overwrite=True)
        apply_precision(tested, self.cfg, "auto", self.device)
        inference.run(
            self.task,
            tested,
            self.records,
            self.task.pipeline(self.cfg),
            self.ranks,
            places,
            self.loop,
        )
        summary: dict[str, float] = {}
        problem = None
        if self.ranks.first:
            try:
                names = [record.name for record in self.records]
                result = self.task.evaluate(self.folder, self.root, "val", names, nproc=1)
                result.save(self.folder / "scores.json")
                summary = {k: v for k, v in result.summary.items() if math.isfinite(v)}
            except UserError as error:
                problem = str(error)
        self.ranks.agree(problem)
        return summary
