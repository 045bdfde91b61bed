"""One training step of the published models on the mini dataset, pictures and batch reduced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from bdd100k_models import list_models, load_config
from bdd100k_models.engine import optimization, training
from bdd100k_models.engine.model import without_pretrained
from bdd100k_models.engine.parallel import TrainedNetwork
from bdd100k_models.engine.ranks import Ranks
from bdd100k_models.engine.sampling import make_training_loader, seed_everything
from bdd100k_models.tasks import TASK_NAMES, task_of

CPU = torch.device("cpu")
#: Width and height that pictures are resized to.
SCALE = (256, 144)
#: Height and width of crops.
CROP = (128, 192)
#: Side of the pictures that classifiers see; VGG has fully connected layers for this one.
SIDE = 224

MODELS = [name for task in TASK_NAMES for name in list_models(task)]

#: One model of each architecture, without the ``_bdd100k`` that all names end in.
ARCHITECTURES = [
    "vgg11_5x_224x224_weather_tag",
    "resnet18_4x_weather_tag",
    "dla34_5x_224x224_weather_tag",
    "faster_rcnn_r50_fpn_1x_det",
    "retinanet_r50_fpn_1x_det",
    "cascade_rcnn_r50_fpn_1x_det",
    "fcos_r50_fpn_1x_det",
    "faster_rcnn_r50_fpn_dconv_1x_det",
    "libra_faster_rcnn_r50_fpn_1x_det",
    "faster_rcnn_hrnetv2p_w18_1x_det",
    "atss_r50_fpn_1x_det",
    "sparse_rcnn_r50_fpn_1x_det",
    "atss_r50_fpn_dyhead_1x_det",
    "faster_rcnn_swin-t_fpn_1x_det",
    "cascade_rcnn_swin-t_fpn_3x_det",
    "retinanet_pvt-t_fpn_1x_det",
    "retinanet_pvtv2-b0_fpn_1x_det",
    "faster_rcnn_convnext-t_fpn_fp16_1x_det",
    "cascade_rcnn_convnext-t_fpn_fp16_1x_det",
    "mask_rcnn_r50_fpn_1x_ins_seg",
    "cascade_mask_rcnn_r50_fpn_1x_ins_seg",
    "mask_rcnn_r50_fpn_dconv_1x_ins_seg",
    "gcnet_mask_rcnn_r50_fpn_1x_ins_seg",
    "mask_rcnn_hrnetv2p_w18_1x_ins_seg",
    "fcn_r50-d8_769x769_40k_sem_seg",
    "pspnet_r50-d8_512x1024_40k_sem_seg",
    "deeplabv3_r50-d8_769x769_40k_sem_seg",
    "deeplabv3+_r50-d8_769x769_40k_sem_seg",
    "upernet_r50-d8_769x769_40k_sem_seg",
    "psanet_r50-d8_512x1024_40k_sem_seg",
    "nonlocal_r50-d8_512x1024_40k_sem_seg",
    "fpn_r50_512x1024_40k_sem_seg",
    "emanet_r50-d8_769x769_40k_sem_seg",
    "dmnet_r50-d8_769x769_40k_sem_seg",
    "apcnet_r50-d8_512x1024_40k_sem_seg",
    "fcn_hr48_512x1024_40k_sem_seg",
    "ccnet_r50-d8_512x1024_40k_sem_seg",
    "gcnet_r50-d8_769x769_40k_sem_seg",
    "dnl_r50-d8_512x1024_40k_sem_seg",
    "pointrend_r50_512x1024_40k_sem_seg",
    "upernet_vit-b_512x1024_80k_sem_seg",
    "upernet_swin-t_512x1024_40k_sem_seg",
    "dpt_vit_512x1024_80k_sem_seg",
    "upernet_convnext-t_fp16_512x1024_40k_sem_seg",
    "danet_r50-d8_769x769_40k_drivable",
    "panoptic_fpn_r50_fpn_1x_pan_seg",
    "res50_256x192_1x_pose",
    "mobilenetv2_256x192_1x_pose",
    "hrnet_w32_256x192_1x_pose",
    "qdtrack-frcnn_r50_fpn_12e_mot",
    "pcan-frcnn_r50_fpn_12e_mots",
]


def architecture(name: str) -> tuple[str, ...]:
    """What two models with the same code under training have in common."""
    model = load_config(name).model
    parts = [model.type]
    for key in (
        "backbone",
        "neck",
        "rpn_head",
        "roi_head",
        "bbox_head",
        "mask_head",
        "decode_head",
        "auxiliary_head",
        "keypoint_head",
        "head",
    ):
        parts += types(model.get(key))
    return tuple(parts)


def types(part: Any) -> list[str]:
    """Types of a part of a model and of those within it; what is repeated in a row counts once."""
    if isinstance(part, (list, tuple)):
        found = [types(item) for item in part]
        return [kind for i, kinds in enumerate(found) if kinds not in found[:i] for kind in kinds]
    if not isinstance(part, Mapping):
        return []
    own = [part["type"]] if "type" in part else []
    own += ["dcn"] if part.get("dcn") else []
    own += ["plugins"] if part.get("plugins") else []
    return own + types(part.get("bbox_head")) + types(part.get("mask_head"))


def shrink(value: Any) -> None:
    """Reduce, in place, the sizes that a training pipeline names."""
    if isinstance(value, list):
        for item in value:
            shrink(item)
    elif isinstance(value, dict):
        kind = value.get("type")
        if kind == "Resize":
            value["img_scale"] = SCALE
            value.pop("multiscale_mode", None)
        elif kind in ("Mosaic", "MixUp"):
            value["img_scale"] = SCALE[::-1]
        elif kind in ("RandomCrop", "RandomResizedCrop") and "size" in value:
            value["size"] = SIDE
        elif kind == "RandomCrop":
            value["crop_size"] = CROP
        elif kind == "Pad" and "size" in value:
            value["size"] = CROP
        for item in value.values():
            shrink(item)


def run_step(name: str, root: Path) -> None:
    cfg = load_config(name, data_root=root)
    shrink(cfg.data.train)
    without_pretrained(cfg.model)
    task = task_of(cfg)
    task.register()
    seed_everything(0)
    training.quiet_packages()
    network = training.build_network(task, cfg, Ranks(), CPU)
    loader = make_training_loader(
        training.build_dataset(task, cfg, cfg.data.train),
        batch=2,
        workers=0,
        ranks=Ranks(),
        seed=0,
        endless=False,
        pin_memory=False,
    )
    optimizer = optimization.build_optimizer(network, cfg.optimizer)
    wrapped = TrainedNetwork(network, CPU).train()
    before = {key: value.detach().clone() for key, value in network.named_parameters()}

    outputs = wrapped.train_step(next(iter(loader)), optimizer)
    outputs["loss"].backward()
    optimizer.step()

    assert outputs["num_samples"] == 2
    assert all(math.isfinite(value) for value in outputs["log_vars"].values()), outputs["log_vars"]
    for part, module in network.named_children():
        gradients = [p.grad for p in module.parameters() if p.requires_grad]
        if gradients:
            reached = [g for g in gradients if g is not None and bool(g.abs().max() > 0)]
            assert reached, f"no gradient reaches {part}"
    changed = [
        key for key, value in network.named_parameters() if not torch.equal(value, before[key])
    ]
    learns = any(p.requires_grad for p in network.backbone.parameters())  # PCAN's does not
    assert any(key.startswith("backbone.") for key in changed) == learns
    heads = [key for key, _ in network.named_parameters() if "head" in key]
    assert not heads or any(key in changed for key in heads)
    assert all(bool(value.isfinite().all()) for value in network.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_step_of_each_architecture(name: str, mini_root: Path) -> None:
    run_step(f"{name}_bdd100k", mini_root)


@pytest.mark.slow
def test_every_architecture_is_listed() -> None:
    listed = {architecture(f"{name}_bdd100k") for name in ARCHITECTURES}
    missing = {architecture(name): name for name in MODELS if architecture(name) not in listed}
    assert missing == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_step_of_every_published_model(name: str, mini_root: Path) -> None:
    run_step(name, mini_root)
