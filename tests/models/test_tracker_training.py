"""One training step of the trackers on the mini dataset."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from bdd100k_models import load_config
from bdd100k_models.engine import optimization, training
from bdd100k_models.engine.parallel import TrainedNetwork
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.sampling import make_training_loader, seed_everything
from bdd100k_models.tasks.det import DetTask

CPU = torch.device("cpu")


class Step:
    """A network after one step.

    Attributes:
        losses: by name.
        network: its weights.
        changed: names of weights and buffers that are others than before.
    """

    def __init__(self, config: str, root: Path) -> None:
        import bdd100k_models.models.pcan
        import bdd100k_models.tasks.mot_datasets  # noqa: F401

        task: Any = DetTask()
        cfg = load_config(config, data_root=root)
        seed_everything(0)
        training.quiet_packages()
        self.network: Any = training.build_network(task, cfg, Ranks(), CPU)
        loader = make_training_loader(
            training.build_dataset(task, cfg, cfg.data.train),
            batch=2,
            workers=0,
            ranks=Ranks(),
            seed=0,
            endless=False,
            pin_memory=False,
        )
        optimizer = optimization.build_optimizer(self.network, cfg.optimizer)
        wrapped = TrainedNetwork(self.network, CPU).train()
        before = {key: value.clone() for key, value in self.network.state_dict().items()}
        outputs = wrapped.train_step(next(iter(loader)), optimizer)
        outputs["loss"].backward()
        optimizer.step()
        self.losses: dict[str, float] = outputs["log_vars"]
        self.changed = {
            key
            for key, value in self.network.state_dict().items()
            if not torch.equal(value, before[key])
        }


@pytest.mark.parametrize("config", ["mot_mini", "mots_masks_mini"])
def test_all_of_a_quasi_dense_tracker_learns(config: str, mini_root: Path) -> None:
    step = Step(f"demo/models/{config}.py", mini_root)
    expected = {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "loss_track"}
    expected |= {"loss_track_aux"} | ({"loss_mask"} if "masks" in config else set())
    assert expected < set(step.losses)
    assert all(math.isfinite(value) for value in step.losses.values())
    assert all(step.losses[name] > 0 for name in ("loss_track", "loss_track_aux"))
    parameters = {name for name, _ in step.network.named_parameters()}
    unchanged = {name.split(".")[0] for name in parameters - step.changed}
    assert unchanged <= {"backbone"}  # its residual branches begin with a factor of zero


def test_only_the_refining_head_of_pcan_learns(mini_root: Path) -> None:
    step = Step("demo/models/mots_mini.py", mini_root)
    assert step.losses["loss_refine"] > 0
    head = {
        f"roi_head.refine_head.{name}" for name in step.network.roi_head.refine_head.state_dict()
    }
    assert head <= step.changed
    learnt = {name for name in step.changed if "running" not in name and "num_batches" not in name}
    assert learnt == head
