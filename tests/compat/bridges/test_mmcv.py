"""mmcv 1.x on today's torch: configs, checkpoints, the runner, and ranks."""

import logging
import pickle

import mmcv.parallel._functions
import mmcv.runner.fp16_utils
import numpy as np
import pytest
import torch
from mmcv import Config
from mmcv.parallel import DataContainer, MMDataParallel
from mmcv.runner import (
    EpochBasedRunner,
    Fp16OptimizerHook,
    IterBasedRunner,
    epoch_based_runner,
    load_checkpoint,
    save_checkpoint,
    wrap_fp16_model,
)
from torch import nn

from bdd100k_models.compat.bridges.mmcv import stream_of_index
from bdd100k_models.errors import UserError


class Regressor(nn.Module):
    """A model with the steps that mmcv's runner calls."""

    fp16_enabled = False

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, img, img_metas):
        assert isinstance(img, torch.Tensor)
        assert isinstance(img_metas, list)
        return self.layer(img)

    def train_step(self, data, optimizer=None):
        loss = (self(**data) - 1).square().mean()
        log = {"loss": loss.item()}
        return {"loss": loss, "log_vars": log, "num_samples": len(data["img"])}

    val_step = train_step


def batches():
    images = torch.arange(12.0).reshape(2, 2, 3) / 12
    return [
        {
            "img": DataContainer([batch], stack=True),
            "img_metas": DataContainer([[{}, {}]], cpu_only=True),
        }
        for batch in images
    ]


def test_config_as_text():
    config = Config({"model": {"type": "A", "sizes": [1, 2]}})
    assert config.pretty_text == "model = dict(type='A', sizes=[1, 2])\n"
    assert Config.fromstring(config.dump(), ".py").model.sizes == [1, 2]


def test_checkpoint_with_numpy_scalars_loads(tmp_path):
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    file = str(tmp_path / "a.pth")
    save_checkpoint(model, file, meta={"best": np.float64(0.5), "classes": ["a"]})
    checkpoint = load_checkpoint(other, file, map_location="cpu")
    assert checkpoint["meta"]["best"] == 0.5
    assert torch.equal(model.weight, other.weight)


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


def test_checkpoint_with_code_is_refused(tmp_path, capsys):
    file = tmp_path / "bad.pth"
    torch.save({"state_dict": {}, "meta": Harmful()}, file)
    with pytest.raises(UserError, match=r"bad\.pth is refused"):
        load_checkpoint(nn.Linear(1, 1), str(file))
    assert capsys.readouterr().out.count("executed") == 0


def test_downloaded_checkpoint_with_code_is_refused(tmp_path, capsys):
    file = tmp_path / "bad.pth"
    torch.save({"meta": Harmful()}, file)
    with pytest.raises(pickle.UnpicklingError):
        mmcv.runner.checkpoint.load_url(file.as_uri(), model_dir=str(tmp_path / "cache"))
    assert "executed" not in capsys.readouterr().out


def test_stream_takes_an_index():
    module = type("Functions", (), {"_get_stream": staticmethod(lambda device: device)})
    stream_of_index(module)
    assert module._get_stream(1) == torch.device("cuda", 1)
    assert module._get_stream(torch.device("cpu")) == torch.device("cpu")


def test_data_parallel_on_cpu():
    model = Regressor()
    output = MMDataParallel(model)(**batches()[0])
    assert torch.equal(output, model.layer(torch.arange(6.0).reshape(2, 3) / 12))


def test_model_on_cpu_stays_in_float32():
    model = Regressor()
    wrap_fp16_model(model)
    assert not model.fp16_enabled


@pytest.mark.parametrize("loss_scale", [512.0, "dynamic", {"init_scale": 64.0}])
def test_fp16_hook_trains_on_cpu_in_float32(tmp_path, monkeypatch, loss_scale, recwarn):
    monkeypatch.setattr(epoch_based_runner.time, "sleep", lambda seconds: None)
    weights = []
    for hook in ({"grad_clip": None}, Fp16OptimizerHook(loss_scale=loss_scale)):
        torch.manual_seed(0)
        model = Regressor()
        runner = EpochBasedRunner(
            MMDataParallel(model),
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            work_dir=str(tmp_path),
            logger=logging.getLogger("test"),
            meta={},
            max_epochs=2,
        )
        runner.register_training_hooks(
            {"policy": "step", "step": [1]},
            hook,
            {"interval": 1},
            {"interval": 1, "hooks": [{"type": "TextLoggerHook"}]},
        )
        runner.run([batches()], [("train", 1)])
        weights.append(model.layer.weight.detach().clone())
    assert torch.equal(*weights)
    runner.resume(str(tmp_path / "latest.pth"))
    assert runner.epoch == 2
    assert not [w for w in recwarn if issubclass(w.category, FutureWarning)]


def test_iterations_resume_on_cpu(tmp_path):
    def runner():
        model = Regressor()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        return IterBasedRunner(
            MMDataParallel(model),
            optimizer=optimizer,
            work_dir=str(tmp_path),
            logger=logging.getLogger("test"),
            meta={},
            max_iters=4,
        )

    first, second = runner(), runner()
    first.register_training_hooks(
        {"policy": "poly", "by_epoch": False}, {}, {"by_epoch": False, "interval": 2}
    )
    first.run([batches() * 2], [("train", 1)])
    second.resume(str(tmp_path / "iter_2.pth"))
    assert second.iter == 1  # mmcv saves before it counts
    assert len(second.optimizer.state) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_fp16_runs_in_half_precision_on_cuda():
    class Half(Regressor):
        @mmcv.runner.auto_fp16(apply_to=("img",))
        def forward(self, img, img_metas):
            return self.layer(img)

    model = Half().cuda()
    wrap_fp16_model(model)
    assert model.fp16_enabled
    assert MMDataParallel(model, device_ids=[0])(**batches()[0]).dtype == torch.float16


TWO_RANKS = """
import sys
import bdd100k_models
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from mmcv.parallel import DataContainer, MMDistributedDataParallel

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.unused = nn.Linear(2, 1), nn.Linear(1, 1)

    def forward(self, img):
        return self.layer(img)

    def train_step(self, data, optimizer=None):
        return {"loss": self(**data).square().mean(), "log_vars": {}, "num_samples": 1}

    val_step = train_step

def work(rank, folder, data):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(rank)
    model = MMDistributedDataParallel(Model(), find_unused_parameters=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        batch = {"img": DataContainer([data[rank]], stack=True)}
        optimizer.zero_grad()
        model.train_step(batch, optimizer)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        assert model.val_step(batch)["loss"] > 0
        assert model(**batch).shape == (3, 1)
    torch.save(model.module.layer.state_dict(), f"{folder}/{rank}.pth")
    dist.destroy_process_group()

if __name__ == "__main__":
    torch.manual_seed(5)
    data = torch.randn(2, 3, 2)
    mp.spawn(work, args=(FOLDER, data), nprocs=2)
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model.train_step({"img": data.flatten(0, 1)})["loss"].backward()
        optimizer.step()
    for rank in range(2):
        for key, value in torch.load(f"{FOLDER}/{rank}.pth").items():
            torch.testing.assert_close(value, model.layer.state_dict()[key])
    print("same weights")
"""


def test_two_ranks_on_cpu_train_as_one(run_python, tmp_path):
    script = f"FOLDER = {str(tmp_path)!r}\n" + TWO_RANKS
    assert run_python(script) == "same weights\n"
