"""Options on the command line: read, known to the config or to its place, and applied."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from mmcv import Config

from bdd100k_models.config import apply_options, parse_options, read_config, registry_hint
from bdd100k_models.errors import UserError

DET = "faster_rcnn_r50_fpn_1x_det_bdd100k"
SEM_SEG = "pspnet_r50-d8_512x1024_40k_sem_seg_bdd100k"
TAGGING = "resnet50_5x_weather_tag_bdd100k"
POSE = "hrnet_w32_256x192_1x_pose_bdd100k"


@lru_cache
def read(name: str) -> Config:
    return read_config(name)


def applied(name: str, *items: str) -> Config:
    cfg = copy.deepcopy(read(name))
    apply_options(cfg, parse_options(items))
    return cfg


def test_values_are_read_as_mmcv_reads_them() -> None:
    assert parse_options([]) == {}
    assert parse_options(["a.b=1", "c=[1,(2,3)]", "d=None", "e=x", "+f.g=0.5", "h=a=b"]) == {
        "a.b": 1,
        "c": [1, (2, 3)],
        "d": None,
        "e": "x",
        "+f.g": 0.5,
        "h": "a=b",
    }


@pytest.mark.parametrize("item", ["optimizer", "=1", "+=1", "+", "++a=1"])
def test_items_that_are_none(item: str) -> None:
    with pytest.raises(UserError, match="write KEY=VALUE"):
        parse_options([item])


@pytest.mark.parametrize(
    ("name", "option", "place", "near"),
    [
        (DET, "model.test_cfg.rcnn.scor_thr=0.3", "model.test_cfg.rcnn", "score_thr"),
        (DET, "optimzer.lr=0.1", "the config", "optimizer"),
        (DET, "optimizer.momentun=0.8", "optimizer", "momentum"),
        (DET, "optimizer.weight_deca=0.1", "optimizer", "weight_decay"),
        (DET, "optimizer.nestrov=True", "optimizer", "nesterov"),
        (DET, "load_form=x.pth", "the config", "load_from"),
        (DET, "data.sample_per_gpu=2", "data", "samples_per_gpu"),
        (DET, "data.test.ann_fil=x.json", "data.test", "ann_file"),
        (DET, "data.test.test_mod=True", "data.test", "test_mode"),
        (DET, "data.test.pipeline.1.img_scal=(1,1)", "data.test.pipeline.1", "img_scale"),
        (DET, "data.test_dataloader.sample_per_gpu=1", "data.test_dataloader", "samples_per_gpu"),
        (DET, "model.backbone.dept=18", "model.backbone", "depth"),
        (DET, "model.backbone.frozen_stage=1", "model.backbone", "frozen_stages"),
        (DET, "model.neck.add_extra_conv=True", "model.neck", "add_extra_convs"),
        (DET, "model.test_cfg.rcnn.nms.iou_thresh=0.3", "model.test_cfg.rcnn.nms", "iou_threshold"),
        (DET, "lr_config.warmup_iter=10", "lr_config", "warmup_iters"),
        (DET, "runner.max_epoch=1", "runner", "max_epochs"),
        (DET, "evaluation.intervall=1", "evaluation", "interval"),
        (DET, "checkpoint_config.max_keep_ckpt=1", "checkpoint_config", "max_keep_ckpts"),
        (DET, "optimizer_config.grad_clp.max_norm=35", "optimizer_config", "grad_clip"),
        (DET, "fp16.los_scale=512.", "fp16", "loss_scale"),
        (SEM_SEG, "model.decode_head.num_class=3", "model.decode_head", "num_classes"),
        (
            SEM_SEG,
            "model.backbone.norm_cfg.require_grad=1",
            "model.backbone.norm_cfg",
            "requires_grad",
        ),
        (SEM_SEG, "data.val.img_di=x", "data.val", "img_dir"),
        (TAGGING, "model.head.num_class=3", "model.head", "num_classes"),
        (TAGGING, "data.test.data_prefx=x", "data.test", "data_prefix"),
        (POSE, "model.test_cfg.flip_tes=False", "model.test_cfg", "flip_test"),
        (POSE, "data.test.data_cfg.bbox_fil=x.json", "data.test.data_cfg", "bbox_file"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest(
    name: str, option: str, place: str, near: str
) -> None:
    with pytest.raises(UserError) as caught:
        applied(name, option)
    text, key = str(caught.value), option.partition("=")[0]
    assert f"--cfg-options {key}=" in text
    assert f": {place} has no " in text and f"did you mean '{near}'" in text, text
    assert f"+{key}=" in text and text.endswith(" adds it")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (DET, "load_from=x.pth"),
        (DET, "seed=3"),
        (DET, "work_dir=x"),
        (DET, "fp16.loss_scale=512.0"),
        (DET, "cudnn_benchmark=True"),
        (DET, "optimizer.nesterov=True"),
        (DET, "optimizer.paramwise_cfg.norm_decay_mult=0.0"),
        (DET, "optimizer.paramwise_cfg.custom_keys.backbone.lr_mult=0.1"),
        (DET, "lr_config.by_epoch=False"),
        (DET, "checkpoint_config.max_keep_ckpts=1"),
        (DET, "evaluation.save_best=AP"),
        (DET, "data.test.test_mode=True"),
        (DET, "data.test.filter_empty_gt=False"),
        (DET, "data.train_dataloader.persistent_workers=False"),
        (DET, "data.persistent_workers=False"),
        (DET, "model.backbone.with_cp=True"),
        (DET, "model.backbone.dcn.type=DCN"),
        (DET, "model.backbone.norm_cfg.eps=0.001"),
        (DET, "model.test_cfg.rcnn.nms.class_agnostic=True"),
        (DET, "model.test_cfg.rcnn.nms.type=soft_nms"),
        (DET, "model.neck.no_norm_on_lateral=True"),
        (SEM_SEG, "model.test_cfg.mode=slide"),
        (SEM_SEG, "model.test_cfg.crop_size=(64,64)"),
        (SEM_SEG, "data.samples_per_gpu=1"),
        (TAGGING, "model.backbone.frozen_stages=1"),
        (POSE, "model.test_cfg.use_udp=True"),
    ],
)
def test_a_key_that_its_place_knows_is_taken(name: str, option: str) -> None:
    key, _, value = option.partition("=")
    node: Any = applied(name, option)
    for part in key.split("."):
        node = node[part]
    assert str(node) == value or node == eval(value)


def test_the_type_that_the_options_choose_decides() -> None:
    cfg = applied(DET, "optimizer.type=AdamW", "optimizer.betas=(0.9,0.99)", "optimizer.lr=0.001")
    assert cfg.optimizer.betas == (0.9, 0.99)
    cfg = applied(DET, "model.test_cfg.rcnn.nms.type=soft_nms", "model.test_cfg.rcnn.nms.sigma=0.4")
    assert cfg.model.test_cfg.rcnn.nms.sigma == 0.4
    with pytest.raises(UserError, match="optimizer has no betas"):
        applied(DET, "optimizer.betas=(0.9,0.99)")


def test_a_plus_adds_what_nobody_knows() -> None:
    cfg = applied(DET, "+my.own.key=3", "+model.test_cfg.rcnn.my_thr=0.3", "+optimizer.lr=0.5")
    assert (cfg.my.own.key, cfg.model.test_cfg.rcnn.my_thr, cfg.optimizer.lr) == (3, 0.3, 0.5)
    assert "+my" not in cfg


def test_a_type_that_nobody_registered_takes_any_key() -> None:
    cfg = Config({"model": {"type": "MyOwnNetwork"}})
    apply_options(cfg, {"model.whatever": 1})
    assert cfg.model.whatever == 1


@pytest.mark.parametrize("option", ["data.test.pipeline.9.type=X", "data.test.pipeline.x.type=X"])
def test_places_that_are_not_there(option: str) -> None:
    with pytest.raises(UserError, match="--cfg-options do not fit"):
        applied(DET, option)


@pytest.mark.parametrize(
    ("build", "near"),
    [
        (lambda: _build("mmdet", "ResNett"), "ResNet"),
        (lambda: _build("mmdet", "resnet"), "ResNet"),
    ],
)
def test_unknown_types_come_with_the_nearest(build: Callable[[], object], near: str) -> None:
    with pytest.raises(KeyError) as caught:
        build()
    hint = registry_hint(caught.value)
    assert hint.startswith("; did you mean") and f"'{near}'" in hint
    assert registry_hint(KeyError("x")) == ""


def _build(package: str, kind: str) -> object:
    from mmdet.models import build_backbone

    return build_backbone({"type": kind, "depth": 18})
