"""What the trackers' configs resolve to."""

from __future__ import annotations

from typing import Any

import pytest

from bdd100k_models import build_model, load_config
from bdd100k_models.config import read_config
from bdd100k_models.errors import UserError

QDTRACK = "qdtrack-frcnn_r50_fpn_12e_mot_bdd100k"
PCAN = "pcan-frcnn_r50_fpn_12e_mots_bdd100k"
TRACKER = {
    "init_score_thr": 0.7,
    "obj_score_thr": 0.3,
    "match_score_thr": 0.5,
    "memo_tracklet_frames": 10,
    "memo_backdrop_frames": 1,
    "memo_momentum": 0.8,
    "nms_conf_thr": 0.5,
    "nms_backdrop_iou_thr": 0.3,
    "nms_class_iou_thr": 0.7,
    "with_cats": True,
}
EMBEDDINGS = {
    "assigner": {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": 0.7,
        "neg_iou_thr": 0.3,
        "min_pos_iou": 0.5,
        "match_low_quality": False,
        "ignore_iof_thr": -1,
    },
    "sampler": {
        "type": "CombinedSampler",
        "num": 256,
        "pos_fraction": 0.5,
        "neg_pos_ub": 3,
        "add_gt_as_proposals": True,
        "pos_sampler": {"type": "InstanceBalancedPosSampler"},
        "neg_sampler": {
            "type": "IoUBalancedNegSampler",
            "floor_thr": -1,
            "floor_fraction": 0,
            "num_bins": 3,
        },
    },
}


def plain(value: Any) -> Any:
    """Dictionaries and lists alone."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(
    ("name", "rate", "beta", "score_thr", "margin"),
    [(QDTRACK, 0.02, 1 / 9, 0.05, 0.1), (PCAN, 0.01, 1.0, 0.5, 0.3)],
)
def test_published_settings(
    name: str, rate: float, beta: float, score_thr: float, margin: float
) -> None:
    cfg = load_config(name)
    model = cfg.model
    assert plain(model.tracker) == TRACKER
    assert plain(model.train_cfg.embed) == EMBEDDINGS
    assert model.rpn_head.loss_bbox.beta == pytest.approx(beta)
    assert model.roi_head.bbox_head.loss_bbox.type == "L1Loss"
    assert model.train_cfg.rpn_proposal.nms_pre == 2000
    assert model.test_cfg.rcnn.score_thr == score_thr
    head = model.roi_head.track_head
    assert head.loss_track.loss_weight == 0.25
    assert plain(head.loss_track_aux) == {
        "type": "L2Loss",
        "neg_pos_ub": 3,
        "pos_margin": 0.0,
        "neg_margin": margin,
        "loss_weight": 1.0,
    }
    assert plain(cfg.optimizer) == {
        "type": "SGD",
        "lr": rate,
        "momentum": 0.9,
        "weight_decay": 0.0001,
    }
    assert cfg.optimizer_config.grad_clip is None
    assert (cfg.lr_config.warmup_iters, cfg.lr_config.warmup_ratio) == (1000, 0.001)
    assert (cfg.lr_config.step, cfg.runner.max_epochs) == ([8, 11], 12)
    assert cfg.data.samples_per_gpu == 2
    assert [part.reference_frames for part in cfg.data.train] == [3, 0]
    for part in cfg.data.train:
        assert part.pipeline[2].img_scale == (1296, 720)
    assert cfg.data.test.pipeline[1].img_scale == (1296, 720)


def test_the_second_stage_of_pcan_is_the_last_without_its_refining() -> None:
    last = plain(read_config(PCAN).model)
    second = plain(read_config("mots/configs/_base_/qdtrack_masks_12e.py").model)
    del last["roi_head"]["refine_head"]
    for name in ("channels", "proto_num", "stage_num", "carry_prototypes"):
        del last[name]
    last["type"], last["roi_head"]["type"] = "QDTrack", "QuasiDenseRoIHead"
    assert last == second


@pytest.mark.parametrize(
    ("name", "part", "message"),
    [
        ("mots_mini", "roi_head.mask_head", "roi_head has no mask_head"),
        ("mot_mini", "train_cfg.embed", "train_cfg has no embed"),
        ("mot_mini", "roi_head.track_head", "track_head"),
    ],
)
def test_what_is_missing_is_told(name: str, part: str, message: str) -> None:
    cfg = load_config(f"demo/models/{name}.py")
    place, key = part.split(".")
    del cfg.model[place][key]
    with pytest.raises(UserError, match=message):
        build_model(cfg)


def test_a_setting_that_the_tracker_has_not_is_told() -> None:
    cfg = load_config("demo/models/mot_mini.py")
    cfg.model.tracker.patience = 3
    with pytest.raises(UserError, match="patience"):
        build_model(cfg)
