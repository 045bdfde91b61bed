"""Networks from configs: no downloads, no process group, clear refusals."""

import pytest
import torch
from mmcv import Config

from bdd100k_models import build_model, load_config
from bdd100k_models.engine.model import resolve_device, without_pretrained, without_sync_bn
from bdd100k_models.errors import UserError

CONFIG = "demo/models/det_mini.py"


def test_model_is_ready_for_inference() -> None:
    model = build_model(load_config(CONFIG))
    assert not model.training
    assert model.CLASSES[0] == "pedestrian"
    assert next(model.parameters()).device.type == "cpu"


def test_pretrained_and_sync_bn_are_taken_out_everywhere() -> None:
    cfg = dict(
        pretrained="torchvision://resnet50",
        backbone=dict(
            init_cfg=dict(type="Pretrained", checkpoint="x"), norm_cfg=dict(type="SyncBN")
        ),
        heads=[dict(init_cfg=dict(type="Normal"), norm_cfg=dict(type="SyncBN", eps=1.0))],
    )
    without_pretrained(cfg)
    without_sync_bn(cfg)
    assert cfg == dict(
        pretrained=None,
        backbone=dict(init_cfg=None, norm_cfg=dict(type="BN")),
        heads=[dict(init_cfg=dict(type="Normal"), norm_cfg=dict(type="BN", eps=1.0))],
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model.backbone.type": "NoNet"}, "model cannot be built: .*NoNet"),
        ({"model.neck.out_channels": None}, "model cannot be built"),
    ],
)
def test_models_that_cannot_be_built(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_model(load_config(CONFIG, options=options))


def test_config_without_a_model() -> None:
    cfg = load_config(CONFIG)
    bare = Config(dict(data=cfg.data))
    with pytest.raises(UserError, match="has no model"):
        build_model(bare)


def test_checkpoint_is_loaded(tmp_path: object) -> None:
    source = build_model(load_config(CONFIG))
    path = f"{tmp_path}/x.pth"
    torch.save(source.state_dict(), path)
    loaded = build_model(load_config(CONFIG), checkpoint=path)
    for key, value in source.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_devices() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")
    for wrong in ("tpu", "meta", "cuda:99"):
        with pytest.raises(UserError, match=f"--device {wrong}"):
            resolve_device(wrong)
