"""QDTrack: the published weights fit, and give the outputs of the original."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import bdd100k_models  # noqa: F401
from bdd100k_models.config import read_config
from tests.models.seeded_trackers import (
    changed,
    frame,
    read_arrays,
    reference_state,
    seeded,
    small_pipeline,
)

CONFIG = "mot/configs/mot/qdtrack-frcnn_r50_fpn_12e_mot_bdd100k.py"
FACTORS = {
    "rpn_head.rpn_cls.weight": 0.1,
    "roi_head.bbox_head.fc_cls.weight": 2.0,
    "roi_head.track_head.fc_embed.weight": 0.7,
}


@pytest.fixture(scope="module")
def network() -> Any:
    from mmdet.models import build_detector

    import bdd100k_models.models.qdtrack  # noqa: F401

    cfg = read_config(CONFIG).model
    cfg.backbone.init_cfg = None
    return build_detector(cfg).eval()


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return seeded(reference_state("qdtrack_state.json"))


def test_state_dict_is_the_published_one(network: Any) -> None:
    own = [(key, tuple(value.shape)) for key, value in network.state_dict().items()]
    assert own == reference_state("qdtrack_state.json")


def test_embeddings_of_the_original(network: Any, weights: dict[str, torch.Tensor]) -> None:
    network.load_state_dict(weights)
    given = read_arrays("qdtrack_embed_head.npz")
    rng = np.random.default_rng(11)
    maps = [
        rng.integers(-8, 9, (1, 256, 384 // stride, 640 // stride)).astype(np.float32) / 8
        for stride in (4, 8, 16, 32)
    ]
    features = tuple(torch.tensor(array) for array in maps)
    boxes = torch.tensor(given["boxes"])
    with torch.no_grad():
        embeddings = network.roi_head.embed(features, [boxes])
    np.testing.assert_allclose(embeddings, given["embeds"], atol=1e-4)


def test_video_of_the_original(network: Any, weights: dict[str, torch.Tensor]) -> None:
    network.load_state_dict(changed(weights, FACTORS, "qdtrack_biases.npz"))
    given = read_arrays("qdtrack_video_a.npz")
    pipeline = small_pipeline(CONFIG)
    video = network.new_video()
    for number in range(4):
        found = video(number, *frame(pipeline, number))
        of = {
            name: given[f"f{number}_{name}"]
            for name in ("det_bboxes", "det_labels", "det_embeds", "match_bboxes", "match_ids")
        }
        np.testing.assert_allclose(found.boxes, of["det_bboxes"], atol=1e-2)
        np.testing.assert_array_equal(found.labels, of["det_labels"])
        np.testing.assert_allclose(found.embeddings, of["det_embeds"], atol=1e-4)
        np.testing.assert_allclose(found.boxes[found.kept], of["match_bboxes"], atol=1e-2)
        np.testing.assert_array_equal(found.ids, of["match_ids"])
        assert list(video.tracker.tracklets) == given[f"f{number}_memo_ids"].tolist()
        rows, ids = found.tracked
        assert len(rows) == given[f"f{number}_track_results_counts"].sum()
        assert sorted(ids) == sorted(given[f"f{number}_track_results"][:, 0])
    assert (found.height, found.width) == (180, 320)


def test_a_new_video_knows_nothing_of_the_last(network: Any) -> None:
    first, second = network.new_video(), network.new_video()
    first.tracker.match(0, np.zeros((1, 5), np.float32), np.zeros(1, int), np.ones((1, 256)))
    assert second.tracker is not first.tracker
    assert second.tracker.settings.init_score_thr == 0.7


def test_a_frame_with_nothing_in_it_leaves_the_tracker_alone(network: Any) -> None:
    video = network.new_video()
    video.tracker.update(
        0, np.array([[0, 0, 9, 9, 0.9]], np.float32), np.zeros(1, int), np.ones((1, 256))
    )
    threshold = network.roi_head.test_cfg.score_thr
    network.roi_head.test_cfg.score_thr = 1.1
    try:
        found = video(30, *frame(small_pipeline(CONFIG), 0))
    finally:
        network.roi_head.test_cfg.score_thr = threshold
    assert found.boxes.shape == (0, 5)
    assert found.embeddings.shape == (0, 256)
    assert len(found.tracked[0]) == 0
    assert list(video.tracker.tracklets) == [0]
