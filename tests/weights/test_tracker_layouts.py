"""Checkpoints of other trackers, and of none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import bdd100k_models  # noqa: F401
from bdd100k_models.config import read_config
from bdd100k_models.errors import UserError
from bdd100k_models.weights import load_weights
from bdd100k_models.weights.layouts import translate
from bdd100k_models.zoo import classes

HEAD = r"^roi_head\.track_head\."
#: Ours -> theirs.
RENAMES: dict[str, Sequence[tuple[str, str]]] = {
    "mmtracking's QDTrack": ((HEAD, "track_head.embed_head."), (r"^(?!track_head)", "detector.")),
    "QDTrack's later versions": (
        (HEAD, "track_head.track_head."),
        (r"^(?!track_head)", "detector."),
    ),
    "Vis4D's QDTrack": (
        (HEAD + r"convs\.(\d+)\.gn\.", r"qdtrack_head.similarity_head.convs.\1.norm."),
        (HEAD + r"convs\.(\d+)\.conv\.", r"qdtrack_head.similarity_head.convs.\1."),
        (HEAD + r"fcs\.(\d+)\.", r"qdtrack_head.similarity_head.fcs.\1.0."),
        (HEAD, "qdtrack_head.similarity_head."),
        (r"^backbone\.", "basemodel."),
        (r"^neck\.lateral_convs\.(\d+)\.conv\.", r"fpn.inner_blocks.\1.0."),
        (r"^neck\.fpn_convs\.(\d+)\.conv\.", r"fpn.layer_blocks.\1.0."),
        (r"^rpn_head\.rpn_reg\.", "faster_rcnn_head.rpn_head.rpn_box."),
        (r"^rpn_head\.", "faster_rcnn_head.rpn_head."),
        (r"^roi_head\.bbox_head\.", "faster_rcnn_head.roi_head."),
    ),
}
#: The tuple of QDTrack's data set, in whose order nothing was learnt.
MISLEADING = ("pedestrian", "rider", "car", "bus", "truck", "bicycle", "motorcycle", "train")


@pytest.fixture(scope="module")
def network() -> Any:
    from mmdet.models import build_detector

    import bdd100k_models.models.pcan  # noqa: F401

    return build_detector(read_config("demo/models/mot_mini.py").model)


@pytest.mark.parametrize("layout", list(RENAMES))
def test_other_layouts_are_renamed(layout: str, network: Any) -> None:
    own = network.state_dict()
    theirs = {}
    for key, value in own.items():
        for pattern, new in RENAMES[layout]:
            key = re.sub(pattern, new, key)
        theirs[key] = value
    found = translate(theirs, {"CLASSES": MISLEADING}, own)
    assert found is not None
    assert found.layout == layout
    assert set(found.state) == set(own)
    assert all(torch.equal(found.state[key], own[key]) for key in own)
    assert found.classes == classes.TRACKED


def test_a_prefix_over_everything_is_taken_off(network: Any) -> None:
    own = network.state_dict()
    found = translate({f"detector.{key}": value for key, value in own.items()}, {}, own)
    assert found is not None
    assert set(found.state) == set(own)


def test_the_published_layout_is_left_as_it_is(network: Any) -> None:
    own = network.state_dict()
    assert translate(own, {}, own) is None


def test_a_detector_is_refused_with_a_line_that_says_so(network: Any, tmp_path: Path) -> None:
    state = {k: v for k, v in network.state_dict().items() if "track_head" not in k}
    torch.save({"state_dict": state, "meta": {}}, tmp_path / "det.pth")
    with pytest.raises(UserError, match=r"it has no embeddings .* a detector and no tracker"):
        load_weights(network, tmp_path / "det.pth")


def test_qdtrack_is_no_pcan(network: Any, tmp_path: Path) -> None:
    from mmdet.models import build_detector

    torch.save({"state_dict": network.state_dict(), "meta": {}}, tmp_path / "qdtrack.pth")
    pcan = build_detector(read_config("demo/models/mots_mini.py").model)
    with pytest.raises(UserError, match="no refining head") as problem:
        load_weights(pcan, tmp_path / "qdtrack.pth")
    assert "no embeddings" not in str(problem.value)


def test_classes_of_the_original_checkpoints_are_not_believed() -> None:
    from bdd100k_models.tasks import get_task

    task = get_task("mot")
    assert task.told_classes({"CLASSES": MISLEADING}) == ()
    own = {"CLASSES": ["car"], "bdd100k_models_version": "1"}
    assert task.told_classes(own) == ("car",)
