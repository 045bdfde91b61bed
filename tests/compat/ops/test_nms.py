"""nms, soft_nms and nms_match through mmcv's wrappers."""

import inspect

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, nms_match, soft_nms

from bdd100k_models.compat.bridges.mmcv_ops import BOXES_WORTH_SPLITTING

METHODS = ["naive", "linear", "gaussian"]


def random_boxes(count, seed=0, size=40.0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(1, size, (count, 2))])
    return torch.tensor(boxes, dtype=torch.float32), torch.tensor(
        rng.permutation(count) / max(count, 1) + 0.01, dtype=torch.float32
    )


def overlap(a, b, offset):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    union = sum((box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b))
    return width * height / (union - width * height)


def plain_nms(boxes, scores, threshold, offset):
    boxes, scores = boxes.tolist(), scores.tolist()
    kept = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[index], boxes[other], offset) <= threshold for other in kept):
            kept.append(index)
    return kept


def plain_soft_nms(boxes, scores, threshold, sigma, min_score, method, offset):
    boxes, scores, left = boxes.tolist(), scores.tolist(), list(range(len(boxes)))
    found = []
    while left:
        best = max(left, key=lambda i: scores[i])
        left.remove(best)
        found.append((best, scores[best]))
        for other in left:
            iou = overlap(boxes[best], boxes[other], offset)
            if method == "gaussian":
                scores[other] *= np.exp(-(iou**2) / sigma)
            elif iou >= threshold:
                scores[other] *= 0.0 if method == "naive" else 1 - iou
        left = [other for other in left if scores[other] >= min_score]
    return found


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_as_compiled(recorded, device, offset):
    data = recorded(f"nms_offset{offset}", device)
    threshold = data["iou_threshold"].item()
    dets, inds = nms(data["boxes"], data["scores"], threshold, offset=offset)
    assert torch.equal(inds, data["inds"].long())
    assert torch.equal(dets, data["dets"])


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7])
def test_nms_as_the_plain_formula(device, offset, threshold):
    boxes, scores = random_boxes(97)
    _, inds = nms(boxes.to(device), scores.to(device), threshold, offset=offset)
    assert inds.tolist() == plain_nms(boxes, scores, threshold, offset)


def test_nms_threshold_is_compared_in_float32():
    # IoU is 0.6 exactly as float32 rounds it, which is more than 0.6 in float64.
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 6]])
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.6)[1].tolist() == [0, 1]


def test_nms_equal_scores_keep_the_input_order():
    boxes, _ = random_boxes(50, size=3.0)
    assert nms(boxes, torch.full((50,), 0.5), 0.9)[1].tolist() == list(range(50))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_nms_of_other_types(device, dtype):
    boxes, scores = (tensor.to(device, dtype) for tensor in random_boxes(20))
    dets, inds = nms(boxes, scores, 0.5)
    assert dets.dtype == dtype
    expected = nms(boxes.float(), scores.float(), 0.5)[1]
    assert torch.equal(inds, expected)


@pytest.mark.parametrize("offset", [0, 1])
def test_nms_of_nothing(device, offset):
    dets, inds = nms(
        torch.zeros(0, 4, device=device), torch.zeros(0, device=device), 0.5, offset=offset
    )
    assert dets.shape == (0, 5)
    assert inds.shape == (0,)
    assert inds.dtype == torch.int64


def test_nms_of_boxes_without_area():
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5]])
    assert nms(boxes, torch.tensor([0.1, 0.9]), 0.5)[1].tolist() == [1, 0]
    assert nms(boxes, torch.tensor([0.1, 0.9]), 0.5, offset=1)[1].tolist() == [1]


def test_batched_nms_keeps_classes_apart():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    dets, keep = batched_nms(
        boxes,
        torch.tensor([0.2, 0.9, 0.5]),
        torch.tensor([0, 1, 0]),
        {"type": "nms", "iou_threshold": 0.5},
    )
    assert keep.tolist() == [1, 2]
    assert torch.equal(dets[:, 4], torch.tensor([0.9, 0.5]))


@pytest.mark.parametrize("method", METHODS)
def test_soft_nms_as_compiled(recorded, method):
    data = recorded(f"soft_nms_{method}")
    arguments = [data[key].item() for key in ("iou_threshold", "sigma", "min_score")]
    dets, inds = soft_nms(data["boxes"], data["scores"], *arguments, method=method)
    assert torch.equal(inds, data["inds"].long())
    torch.testing.assert_close(dets, data["dets"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("offset", [0, 1])
def test_soft_nms_as_the_plain_formula(method, offset):
    boxes, scores = random_boxes(61, seed=3)
    dets, inds = soft_nms(boxes, scores, 0.3, 0.5, 0.05, method=method, offset=offset)
    expected = plain_soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    assert inds.tolist() == [index for index, _ in expected]
    np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], rtol=1e-5)
    assert torch.equal(dets[:, :4], boxes[inds])


def test_soft_nms_leaves_its_inputs_alone():
    boxes, scores = random_boxes(20)
    before = boxes.clone(), scores.clone()
    soft_nms(boxes, scores, 0.3)
    assert torch.equal(boxes, before[0])
    assert torch.equal(scores, before[1])


def test_soft_nms_fills_gaps_from_the_end():
    # Four equal scores; the second box is dropped, and the last takes its place.
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]])
    _, inds = soft_nms(boxes, torch.full((4,), 0.5), 0.5, method="naive")
    assert inds.tolist() == [0, 3, 2]


@pytest.mark.parametrize("method", METHODS)
def test_soft_nms_of_nothing_and_of_no_area(method):
    assert soft_nms(torch.zeros(0, 4), torch.zeros(0), 0.3, method=method)[0].shape == (0, 5)
    dets, _ = soft_nms(torch.zeros(2, 4), torch.tensor([0.3, 0.4]), 0.3, method=method)
    assert torch.equal(dets[:, 4], torch.tensor([0.4, 0.3]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_soft_nms_gives_back_the_type(dtype):
    boxes, scores = (tensor.to(dtype) for tensor in random_boxes(20))
    dets, _ = soft_nms(boxes, scores, 0.3)
    assert dets.dtype == dtype


def test_nms_match_as_compiled(recorded):
    data = recorded("nms_match")
    groups = nms_match(data["dets"], data["iou_threshold"].item())
    assert [len(group) for group in groups] == data["group_sizes"].tolist()
    assert np.concatenate([np.asarray(group) for group in groups]).tolist() == (
        data["groups_flat"].tolist()
    )


def test_nms_match_covers_every_box_once(device):
    boxes, scores = random_boxes(80)
    dets = torch.cat([boxes, scores[:, None]], dim=1)
    groups = nms_match(dets.to(device), 0.5)
    assert [int(group[0]) for group in groups] == plain_nms(boxes, scores, 0.5, 0)
    assert sorted(int(index) for group in groups for index in group) == list(range(80))


def test_nms_match_of_nothing():
    assert len(nms_match(torch.zeros(0, 5), 0.5)) == 0


@pytest.mark.parametrize("config", [
    {"iou_threshold": 0.5},
    {"iou_threshold": 0.3, "max_num": 40},
    {"iou_threshold": 0.7, "score_threshold": 0.3, "type": "nms"},
    {"iou_threshold": 0.5, "class_agnostic": True},
    {"iou_threshold": 0.5, "offset": 1},
    {"iou_threshold": 0.5, "split_thr": 100},
    None,
])  # fmt: skip
@pytest.mark.parametrize("negative", [False, True])
def test_batched_nms_of_many_boxes_as_of_one_call(config, negative):
    boxes, _ = random_boxes(900, seed=7, size=60.0)
    boxes -= 30 * negative
    generator = torch.Generator().manual_seed(2)
    scores = torch.randint(1, 200, (900,), generator=generator) / 200  # with ties
    classes = torch.randint(0, 5, (900,), generator=generator) * 2
    assert len(boxes) >= BOXES_WORTH_SPLITTING
    own = inspect.getclosurevars(batched_nms).nonlocals["together"]
    expected = own(boxes, scores, classes, config)
    found = batched_nms(boxes, scores, classes, config)
    assert torch.equal(found[1], expected[1])
    assert torch.equal(found[0], expected[0])
