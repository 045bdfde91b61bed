"""Rows of another model's class layers: exactly the right ones, in every kind of head."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch

from bdd100k_models import load_config
from bdd100k_models.engine.model import build_network
from bdd100k_models.engine.shapes import shapes_only
from bdd100k_models.tasks import task_of
from bdd100k_models.weights.fitting import is_learned
from bdd100k_models.weights.layouts import translate
from bdd100k_models.weights.selection import Start, select
from bdd100k_models.weights.starting import public_rows, renamed
from bdd100k_models.zoo import catalogue
from tests.shapes import upstream_network

#: A model for each kind of class layer, and for each way to be no more than a backbone.
KINDS = (
    "faster_rcnn_r50_fpn_1x_det_bdd100k",
    "cascade_rcnn_r50_fpn_1x_det_bdd100k",
    "retinanet_r50_fpn_1x_det_bdd100k",
    "atss_r50_fpn_1x_det_bdd100k",
    "fcos_r50_fpn_1x_det_bdd100k",
    "sparse_rcnn_r50_fpn_1x_det_bdd100k",
    "faster_rcnn_swin-t_fpn_1x_det_bdd100k",
    "cascade_rcnn_swin-t_fpn_3x_det_bdd100k",
    "atss_r101_fpn_dyhead_3x_det_bdd100k",
    "mask_rcnn_r50_fpn_1x_ins_seg_bdd100k",
    "cascade_mask_rcnn_r50_fpn_1x_ins_seg_bdd100k",
    "fpn_r50_gn_512x1024_40k_sem_seg_bdd100k",
    "upernet_vit-b_512x1024_80k_sem_seg_bdd100k",
    "danet_r50-d8_769x769_40k_drivable_bdd100k",
    "pointrend_r50_512x1024_40k_drivable_bdd100k",
    "panoptic_fpn_r50_fpn_1x_pan_seg_bdd100k",
    "res50_256x192_1x_pose_bdd100k",
    "vgg11_5x_224x224_weather_tag_bdd100k",
    "resnet34_4x_weather_tag_bdd100k",
)


def counted(shape: tuple[int, ...], start: int = 0) -> torch.Tensor:
    """A tensor whose values are all different."""
    size = int(torch.tensor(shape).prod())
    return torch.arange(start, start + size, dtype=torch.float32).reshape(shape)


def start(key: str, own: tuple[int, ...], source: tuple[int, ...], rows: Any) -> Any:
    """What becomes of a layer of -1 that selects from one of ascending numbers; and the source."""
    given = counted(source)
    made = select({key: torch.full(own, -1.0)}, {key: given}, rows)
    assert made.selected == (key,)
    return made.state[key], given


def test_softmax_boxes_keep_the_background_last() -> None:
    rows = [0, None, 2]
    made, source = start("roi_head.bbox_head.fc_cls.weight", (4, 5), (81, 5), rows)
    assert torch.equal(made[[0, 2, 3]], source[[0, 2, 80]])
    assert (made[1] == -1).all()


def test_cascades_select_in_all_stages() -> None:
    for stage in range(3):
        key = f"roi_head.bbox_head.{stage}.fc_cls.bias"
        made, source = start(key, (3,), (81,), [7, 5])
        assert torch.equal(made, source[[7, 5, 80]])


def test_boxes_of_a_class_are_four_rows() -> None:
    made, source = start("roi_head.bbox_head.fc_reg.weight", (12, 2), (320, 2), [3, None, 1])
    assert torch.equal(made[:4], source[12:16])
    assert (made[4:8] == -1).all()
    assert torch.equal(made[8:], source[4:8])


def test_boxes_for_all_classes_are_taken() -> None:
    key = "roi_head.bbox_head.0.fc_reg.weight"
    made = select({key: torch.zeros(4, 2)}, {key: torch.ones(4, 2)}, [3, None, 1])
    assert made.taken == (key,)


def test_sigmoid_boxes_have_no_background() -> None:
    made, source = start("roi_head.bbox_head.0.fc_cls.weight", (3, 2), (80, 2), [2, None, 7])
    assert torch.equal(made[[0, 2]], source[[2, 7]])
    assert (made[1] == -1).all()


@pytest.mark.parametrize("layer", ["retina_cls", "atss_cls", "conv_cls"])
@pytest.mark.parametrize("anchors", [1, 9])
def test_anchors_times_classes(layer: str, anchors: int) -> None:
    rows, classes = [0, None, 2], 80
    shape = (anchors * classes, 4, 3, 3)
    made, source = start(f"bbox_head.{layer}.weight", (anchors * 3, 4, 3, 3), shape, rows)
    made = made.view(anchors, 3, 4, 3, 3)
    source = source.view(anchors, classes, 4, 3, 3)
    assert torch.equal(made[:, [0, 2]], source[:, [0, 2]])
    assert (made[:, 1] == -1).all()


@pytest.mark.parametrize(
    "key",
    [
        "roi_head.mask_head.conv_logits.weight",
        "roi_head.mask_head.2.conv_logits.weight",
        "decode_head.conv_seg.weight",
        "decode_head.1.conv_seg.weight",
        "decode_head.pam_conv_seg.weight",
        "decode_head.cam_conv_seg.weight",
        "auxiliary_head.conv_seg.weight",
        "auxiliary_head.0.conv_seg.weight",
        "keypoint_head.final_layer.weight",
        "head.fc.weight",
        "backbone.fc.weight",
        "backbone.classifier.6.weight",
    ],
)
def test_a_row_for_each_class(key: str) -> None:
    made, source = start(key, (3, 2, 1, 1), (19, 2, 1, 1), [11, None, 0])
    assert torch.equal(made[[0, 2]], source[[11, 0]])
    assert (made[1] == -1).all()


def test_panoptic_things_and_regions() -> None:
    """Two things and three regions from 80 and 53; the last channel is that of all things."""
    rows = [2, 80, 80 + 18, None, 3]  # a region for a thing, and a thing for a region: none
    boxes, stuff = "roi_head.bbox_head.fc_cls.bias", "semantic_head.conv_logits.bias"
    own = {boxes: torch.full((3,), -1.0), stuff: torch.full((4,), -1.0)}
    source = {boxes: counted((81,)), stuff: counted((54,), 1000)}
    made = select(own, source, rows)
    assert made.state[boxes].tolist() == [2, -1, 80]
    assert made.state[stuff].tolist() == [1018, -1, -1, 1053]


def test_points_take_features_then_the_scores_of_the_classes() -> None:
    rows = [5, None, 0]
    made, source = start("decode_head.1.fcs.1.conv.weight", (4, 10 + 3, 1), (4, 10 + 19, 1), rows)
    assert torch.equal(made[:, :10], source[:, :10])
    assert torch.equal(made[:, [10, 12]], source[:, [15, 10]])
    assert (made[:, 11] == -1).all()
    made, source = start("decode_head.1.fc_seg.weight", (3, 10 + 3, 1), (19, 10 + 19, 1), rows)
    assert torch.equal(made[0, :10], source[5, :10])
    assert torch.equal(made[2, [10, 12]], source[0, [15, 10]])
    assert (made[1] == -1).all()
    assert (made[:, 11] == -1).all()
    made, source = start("decode_head.1.fc_seg.bias", (3,), (19,), rows)
    assert made.tolist() == [5, -1, 0]


def test_points_without_classes_take_the_features() -> None:
    made, source = start("decode_head.1.fcs.0.conv.weight", (4, 13, 1), (4, 29, 1), [None] * 3)
    assert torch.equal(made[:, :10], source[:, :10])
    assert (made[:, 10:] == -1).all()


def test_another_order_is_selected_though_shapes_agree() -> None:
    key = "head.fc.bias"
    made, source = start(key, (3,), (3,), [2, 0, 1])
    assert made.tolist() == [2, 0, 1]
    assert select({key: made}, {key: source}, [0, 1, 2]).taken == (key,)


def test_what_does_not_fit_is_fresh() -> None:
    own = {"a.weight": torch.zeros(3), "head.fc.weight": torch.zeros(7, 4)}
    source = {"a.weight": torch.ones(2), "head.fc.weight": torch.ones(1000, 8), "b": torch.ones(1)}
    made = select(own, source, [1] * 7)
    assert made.fresh == ("a.weight", "head.fc.weight")
    assert made.left_out == ("a.weight", "head.fc.weight", "b")
    assert all(torch.equal(made.state[key], own[key]) for key in own)


def test_half_precision_becomes_that_of_the_network() -> None:
    made = select({"head.fc.bias": torch.zeros(2)}, {"head.fc.bias": torch.ones(9).half()}, [3, 4])
    assert made.state["head.fc.bias"].dtype == torch.float32


@lru_cache(maxsize=4)
def upstream_state(config: str) -> dict[str, torch.Tensor]:
    return dict(upstream_network(config).state_dict())


def of_published(name: str) -> tuple[Start, dict[str, torch.Tensor]]:
    """The start of a published model, on shapes alone; and the state of its source."""
    model = catalogue.find(name)
    assert model.public is not None
    cfg = load_config(name)
    with shapes_only():
        own = build_network(task_of(cfg), cfg).state_dict()
    state = upstream_state(model.public.config)
    foreign = translate(state, {}, own)
    state = foreign.state if foreign is not None else renamed(state, model.public.rename)
    return select(own, state, public_rows(model.public, model.task), model.public.taken), state


def check(name: str) -> None:
    """The parts that a fit promises are the source's, and nothing else is."""
    model = catalogue.find(name)
    assert model.public is not None
    begun, state = of_published(name)
    fresh = [key for key in begun.fresh if is_learned(key)]
    for key in begun.taken:
        assert begun.state[key].shape == state[key].shape
    if model.public.fit == "identical":
        assert not begun.selected
        assert not fresh
    elif model.public.fit == "rows":
        layers = ("conv_seg.", "fc_seg.") if model.task == "drivable" else ()
        assert all(any(layer in key for layer in layers) for key in fresh), fresh
        assert begun.selected or model.task == "drivable"
    else:
        parts = ("backbone.",) if model.public.fit == "backbone" else ("backbone.", "neck.")
        begins = (*model.public.taken, "backbone.") if model.public.taken else parts
        last = ("backbone.fc.", "backbone.classifier.6.", "conv_offset")
        lost = [key for key in fresh if key.startswith(begins) and not any(x in key for x in last)]
        assert not lost
        assert not begun.selected


@pytest.mark.parametrize("name", KINDS)
def test_public_weights_start_their_model(name: str) -> None:
    check(name)


def test_catalogued_sources_are_known() -> None:
    models = [model for model in catalogue.catalogue().values() if model.public is not None]
    assert len(models) == 258


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        model.name
        for model in catalogue.catalogue().values()
        if model.public is not None and model.public.config.startswith("mm")
    ],
)
def test_all_public_weights_start_their_models(name: str) -> None:
    check(name)
