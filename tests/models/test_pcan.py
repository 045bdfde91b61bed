"""PCAN: the published weights fit, and give the outputs of the original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import bdd100k_models  # noqa: F401
from bdd100k_models.config import read_config
from bdd100k_models.frames.instance import CroppedMask
from tests.models.seeded_trackers import (
    changed,
    frame,
    read_arrays,
    reference_state,
    seeded,
    small_pipeline,
)

CONFIG = "mots/configs/mots/pcan-frcnn_r50_fpn_12e_mots_bdd100k.py"
HEIGHT, WIDTH = 180, 320
FACTORS = {
    "rpn_head.rpn_cls.weight": 0.1,
    "roi_head.bbox_head.fc_cls.weight": 2.0,
    "roi_head.track_head.fc_embed.weight": 0.7,
    **{
        f"neck.fpn_convs.{level}.conv.{kind}": 0.05
        for level in range(4)
        for kind in ("weight", "bias")
    },
    **{
        f"{key}.weight": 20.0
        for key in (
            "rpn_head.rpn_conv",
            "roi_head.bbox_head.shared_fcs.0",
            "roi_head.mask_head.convs.0.conv",
            "roi_head.refine_head.conv_logits",
        )
    },
}


def unpacked(masks: np.ndarray) -> np.ndarray:
    """(N, H, W) bool."""
    bits = np.unpackbits(masks, axis=1)[:, : HEIGHT * WIDTH]
    return bits.reshape(-1, HEIGHT, WIDTH).astype(bool)


def whole(masks: Sequence[CroppedMask]) -> np.ndarray:
    """(N, H, W) bool."""
    full = np.zeros((len(masks), HEIGHT, WIDTH), bool)
    for image, mask in zip(full, masks, strict=True):
        rows, columns = mask.crop.shape
        image[mask.y : mask.y + rows, mask.x : mask.x + columns] = mask.crop
    return full


def by_class(labels: np.ndarray) -> np.ndarray:
    """Places of detections as lists over classes have them."""
    return np.argsort(labels, kind="stable")


@pytest.fixture(scope="module")
def network() -> Any:
    from mmdet.models import build_detector

    import bdd100k_models.models.pcan  # noqa: F401

    cfg = read_config(CONFIG).model
    cfg.backbone.init_cfg = None
    return build_detector(cfg).eval()


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return seeded(reference_state("pcan_state.json"))


def test_state_dict_is_the_published_one(network: Any) -> None:
    own = {(key, tuple(value.shape)) for key, value in network.state_dict().items()}
    assert own == set(reference_state("pcan_state.json"))


def test_masks_of_the_original(network: Any, weights: dict[str, torch.Tensor]) -> None:
    from bdd100k_models.models.mask_grids import paste_masks
    from bdd100k_models.models.qdtrack import own_class

    network.load_state_dict(weights)
    given = read_arrays("pcan_mask_head.npz")
    with torch.no_grad():
        logits = network.roi_head.mask_head(torch.tensor(given["feat_x8"].astype(np.float32) / 8))
    np.testing.assert_allclose(logits, given["mask_pred"], atol=1e-4)
    own = own_class(torch.tensor(given["paste_logits"]), torch.tensor(given["labels"]))
    scale = torch.tensor(given["scale_factor"])
    boxes = torch.tensor(given["boxes"]) * scale / scale
    assert own is not None
    masks = paste_masks(own.sigmoid(), boxes, HEIGHT, WIDTH, 0.5)
    np.testing.assert_array_equal(whole(masks), unpacked(given["pasted"]))


def test_refined_masks_of_the_original(network: Any, weights: dict[str, torch.Tensor]) -> None:
    from bdd100k_models.models.prototypes import Prototypes

    network.load_state_dict(weights)
    head = network.roi_head.refine_head
    given = read_arrays("pcan_refine_head.npz")
    prototypes = Prototypes(
        torch.tensor(given["start_pos_mu"]), torch.tensor(given["start_neg_mu"])
    )
    for number in range(3):
        inputs = [
            torch.tensor(given[f"f{number}_{name}_x{unit}"].astype(np.float32) / unit)
            for name, unit in (("feat_a", 64), ("mask_a", 16), ("feat_b", 64), ("mask_b", 16))
        ]
        with torch.no_grad():
            refined, prototypes = head(
                inputs[0], inputs[1][:, 0], inputs[2], inputs[3][:, 0], prototypes
            )
        np.testing.assert_allclose(refined[:, None], given[f"f{number}_mask_pred"], atol=1e-2)
        np.testing.assert_allclose(prototypes.foreground, given[f"f{number}_pos_mu"], atol=1e-3)
        np.testing.assert_allclose(prototypes.background, given[f"f{number}_neg_mu"], atol=1e-3)


def test_video_of_the_original(network: Any, weights: dict[str, torch.Tensor]) -> None:
    network.load_state_dict(changed(weights, FACTORS, "pcan_biases.npz"))
    given = read_arrays("pcan_video_a.npz")
    pipeline = small_pipeline(CONFIG)
    video = network.new_video()
    for number in range(3):

        def of(name: str, prefix: str = f"f{number}_") -> np.ndarray:
            return given[prefix + name]

        found = video(number, *frame(pipeline, number))
        np.testing.assert_allclose(found.boxes, of("det_bboxes"), atol=1e-2)
        np.testing.assert_array_equal(found.labels, of("det_labels"))
        np.testing.assert_allclose(found.embeddings, of("det_embeds"), atol=1e-4)
        np.testing.assert_array_equal(found.kept, np.flatnonzero(of("match_valids")))
        np.testing.assert_array_equal(found.ids, of("match_ids"))
        assert video.fusion is not None
        for level in range(2):
            memory = video.fusion.memory[level][0, ::16, ::4, ::4]
            np.testing.assert_allclose(memory, of(f"memory{level}"), atol=1e-3)
            means = video.fusion.prototypes[level]
            np.testing.assert_allclose(means, of(f"mu{level}"), atol=5e-3)
        np.testing.assert_allclose(video.prototypes.foreground, of("pos_mu"), atol=1e-3)
        np.testing.assert_allclose(video.prototypes.background, of("neg_mu"), atol=1e-3)
        assert found.masks is not None
        masks = whole(found.masks)
        wanted = unpacked(of("segm_result"))
        assert np.mean(masks[by_class(found.labels)] != wanted) < 2e-5
        rows, ids = found.tracked
        assert ids.tolist() == of("track_ids").tolist()
        assert np.mean(masks[rows] != unpacked(of("track_segms"))) < 2e-5
    assert set(video.references) == set(video.tracker.tracklets)


def small_network() -> Any:
    """A narrow network with random weights, in which everything is a detection."""
    from mmdet.models import build_detector

    cfg = read_config("demo/models/mots_mini.py").model
    cfg.test_cfg.rcnn.score_thr = 0.01
    torch.manual_seed(0)
    return build_detector(cfg).eval()


@pytest.mark.parametrize("carry", [False, True])
def test_prototypes_begin_anew_with_each_video_unless_they_are_carried(carry: bool) -> None:
    small = small_network()
    small.carry_prototypes = carry
    head = small.roi_head.refine_head
    start = head.pos_mu.clone(), head.neg_mu.clone()
    first = small.new_video()
    first(0, *frame(small_pipeline(CONFIG), 0))
    for before, after in zip(start, first.prototypes, strict=True):
        assert not torch.equal(before, after)
    expected = first.prototypes if carry else start
    for own, wanted in zip(small.new_video().prototypes, expected, strict=True):
        assert torch.equal(own, wanted)


def test_single_images_are_first_frames() -> None:
    network = small_network()
    image, meta = frame(small_pipeline(CONFIG), 0)
    with torch.no_grad():
        found = network(
            return_loss=False,
            rescale=True,
            img=[image.expand(2, -1, -1, -1)],
            img_metas=[[meta] * 2],
        )
    first = network.new_video()(0, image, meta)
    for each in found:
        np.testing.assert_allclose(each.boxes, first.boxes, atol=1e-2)


def test_a_frame_of_another_size_is_refused() -> None:
    video = small_network().new_video()
    image, meta = frame(small_pipeline(CONFIG), 0)
    video(0, image, meta)
    with pytest.raises(ValueError, match="must be of one size"):
        video(1, image[..., :-64], meta)


def test_a_frame_with_nothing_in_it_moves_the_features_alone() -> None:
    network = small_network()
    network.roi_head.test_cfg.score_thr = 1.1
    video = network.new_video()
    before = video.prototypes
    found = video(0, *frame(small_pipeline(CONFIG), 0))
    assert found.masks == []
    assert len(found.boxes) == len(found.ids) == 0
    assert video.fusion is not None
    assert video.prototypes is before
