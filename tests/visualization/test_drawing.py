from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

from bdd100k_models.errors import UserError
from bdd100k_models.visualization import beside, draw_frame
from bdd100k_models.visualization.colours import SIDES, colour_of
from bdd100k_models.zoo import classes

DIRECT = colour_of("direct")
CAR = colour_of("car")


def rle(mask: np.ndarray) -> dict[str, Any]:
    """(H, W) bool -> the RLE of a Scalabel label."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"counts": encoded["counts"].decode(), "size": [*mask.shape]}


def car(score: float | None = 0.9, x1: float = 100, y1: float = 200) -> dict[str, Any]:
    label: dict[str, Any] = {
        "category": "car",
        "box2d": {"x1": x1, "y1": y1, "x2": x1 + 200, "y2": y1 + 100},
    }
    return label if score is None else {**label, "score": score}


def frame(*labels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "a.jpg", "labels": list(labels), **more}


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that were drawn on."""
    return (before != after).any(axis=2)


def test_box_is_a_rectangle_in_its_colour_with_a_name_above(grey: np.ndarray) -> None:
    drawn = draw_frame(grey, frame(car()))
    assert tuple(drawn[200, 290]) == CAR and tuple(drawn[300, 290]) == CAR
    assert tuple(drawn[250, 100]) == CAR and tuple(drawn[250, 300]) == CAR
    assert not changed(grey, drawn)[210:290, 110:290].any()
    name = drawn[185:197, 100:160].reshape(-1, 3)
    assert (name == CAR).all(axis=1).any() and (name > 200).all(axis=1).any()
    assert (grey == 120).all(), "the picture that came in was drawn on"


@pytest.mark.parametrize(
    ("score", "visible"), [(0.29, False), (0.3, True), (None, True), (0.0, False)]
)
def test_weak_labels_are_left_out(grey: np.ndarray, score: float | None, visible: bool) -> None:
    assert changed(grey, draw_frame(grey, frame(car(score)))).any() == visible


@pytest.mark.parametrize("content", [{}, {"labels": None}, {"labels": []}, {"attributes": None}])
def test_frame_without_anything_leaves_the_picture_alone(grey: np.ndarray, content: Any) -> None:
    assert np.array_equal(draw_frame(grey, {"name": "a.jpg", **content}), grey)


def test_tags_are_a_banner_even_without_labels(grey: np.ndarray) -> None:
    drawn = draw_frame(grey, {"name": "a.jpg", "attributes": {"weather": "rainy", "count": 3}})
    rows, columns = np.nonzero(changed(grey, drawn))
    assert rows.min() == 0 and columns.min() == 0
    assert rows.max() < 40 and 120 < columns.max() < 400


def test_mask_is_translucent_with_an_outline_and_a_legend(grey: np.ndarray) -> None:
    mask = np.zeros((720, 1280), dtype=bool)
    mask[400:600, 300:900] = True
    drawn = draw_frame(grey, frame({"category": "direct", "rle": rle(mask)}))
    expected = (np.array(DIRECT) + 120) / 2
    assert np.abs(drawn[500, 600].astype(float) - expected).max() <= 1
    assert drawn[400, 600].astype(int).sum() > drawn[500, 600].astype(int).sum() + 100
    outside = changed(grey, drawn) & ~mask
    outside[395:605, 295:905] = False
    legend_rows = np.nonzero(outside.any(axis=1))[0]
    assert legend_rows.min() > 680


def test_background_is_not_drawn(grey: np.ndarray) -> None:
    everything = rle(np.ones((720, 1280), dtype=bool))
    drawn = draw_frame(grey, frame({"category": "background", "rle": everything}))
    assert np.array_equal(drawn, grey)


def test_small_masks_lie_on_large_ones(grey: np.ndarray) -> None:
    large = np.ones((720, 1280), dtype=bool)
    small = np.zeros_like(large)
    small[300:400, 300:400] = True
    labels = [
        {"category": "rider", "rle": rle(small)},
        {"category": "sky", "rle": rle(large)},
    ]
    for order in (labels, labels[::-1]):
        drawn = draw_frame(grey, frame(*order), mask_opacity=1.0)
        assert tuple(drawn[350, 350]) == colour_of("rider")
        assert tuple(drawn[350, 600]) == colour_of("sky")


def test_instances_of_one_class_differ_in_shade_and_have_names(grey: np.ndarray) -> None:
    masks = np.zeros((2, 720, 1280), dtype=bool)
    masks[0, 300:500, 100:300] = True
    masks[1, 300:480, 600:800] = True
    labels = [{"category": "car", "score": 0.9, "rle": rle(mask)} for mask in masks]
    drawn = draw_frame(grey, frame(*labels))
    assert tuple(drawn[400, 200]) != tuple(drawn[400, 700])
    above = changed(grey, drawn)[270:296]
    assert above[:, 100:160].any() and above[:, 600:660].any()


def test_masks_of_another_size_are_scaled(grey: np.ndarray) -> None:
    mask = np.zeros((36, 64), dtype=bool)
    mask[18:, :32] = True
    drawn = draw_frame(grey, frame({"category": "direct", "rle": rle(mask)}))
    assert changed(grey, drawn)[500, 300]
    assert not changed(grey, drawn)[200, 300] and not changed(grey, drawn)[500, 900]


def test_masks_without_run_lengths_are_refused(grey: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"has no run lengths"):
        draw_frame(grey, frame({"category": "car", "rle": {"counts": "", "size": [720, 1280]}}))


def random_masks(random: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    """(count, height, width) bool: rectangles that overlap, some of them empty."""
    masks = np.zeros((count, height, width), dtype=bool)
    for mask in masks:
        y, x = random.integers(0, height), random.integers(0, width)
        mask[y : y + random.integers(0, 60), x : x + random.integers(0, 90)] = True
    return masks


@pytest.mark.parametrize(("count", "sizes"), [(12, 1), (12, 2), (300, 1), (300, 3)])
def test_each_pixel_has_the_colour_of_the_smallest_mask(count: int, sizes: int) -> None:
    picture = np.zeros((90, 160, 3), dtype=np.uint8)
    random = np.random.default_rng(count + sizes)
    scales = [1, 3, 5][:sizes]
    masks = random_masks(random, count, 90, 160)
    labels, shown = [], []
    for index, mask in enumerate(masks):
        scale = scales[index % sizes]
        small = mask[scale // 2 :: scale, scale // 2 :: scale]
        if scale > 1:
            small = small[: 90 // scale, : 160 // scale]
        labels.append({"category": f"class {index}", "rle": rle(small)})
        shown.append(cv2.resize(small.astype(np.uint8), (160, 90), interpolation=cv2.INTER_NEAREST))
    area = [label["rle"] for label in labels]
    order = sorted(range(count), key=lambda index: -int(_pixels(area[index])))
    owner = np.full((90, 160), -1)
    for index in order:
        owner[shown[index] > 0] = index
    drawn = draw_frame(picture, frame(*labels), mask_opacity=1.0)
    # Within an area, beyond its outline and the legend.
    kernel = np.ones((5, 5), np.uint8)
    as_float = owner.astype(np.float32)
    inside = cv2.dilate(as_float, kernel) == cv2.erode(as_float, kernel)
    inside[25:] = False
    assert inside.sum() > 200
    for y, x in zip(*np.nonzero(inside), strict=True):
        expected = colour_of(f"class {owner[y, x]}") if owner[y, x] >= 0 else (0, 0, 0)
        assert tuple(drawn[y, x]) == expected


def _pixels(mask: dict[str, Any]) -> int:
    from pycocotools import mask as coco_mask

    return int(coco_mask.area(mask))


def test_the_name_stands_at_the_largest_part(grey: np.ndarray) -> None:
    mask = np.zeros((720, 1280), dtype=bool)
    mask[100:110, 100:110] = True
    mask[400:500, 700:900] = True
    drawn = draw_frame(grey, frame({"category": "car", "score": 0.9, "rle": rle(mask)}))
    assert changed(grey, drawn)[378:396, 705:760].all(axis=1).any()
    assert not changed(grey, drawn)[70:96].any()


def test_threads_draw_the_same(grey: np.ndarray) -> None:
    random = np.random.default_rng(3)
    frames = [
        frame(
            car(),
            *(
                {"category": f"class {index}", "rle": rle(mask)}
                for index, mask in enumerate(random_masks(random, 8, 720, 1280))
            ),
        )
        for _ in range(8)
    ]
    alone = [draw_frame(grey, each) for each in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: draw_frame(grey, each), frames * 3))
    assert all(np.array_equal(a, b) for a, b in zip(alone * 3, together, strict=True))


def pose(scores: list[float]) -> dict[str, Any]:
    nodes = [
        {"id": str(index), "category": name, "location": [400, 100 + 25 * index], "score": score}
        for index, (name, score) in enumerate(zip(classes.POSE_KEYPOINTS, scores, strict=True))
    ]
    edges = [
        {"source": str(source), "target": str(target), "type": side}
        for source, target, side in classes.POSE_EDGES
    ]
    return {"category": "pedestrian", "score": 0.8, "graph": {"nodes": nodes, "edges": edges}}


def test_pose_is_a_skeleton_with_a_colour_for_each_side(grey: np.ndarray) -> None:
    drawn = draw_frame(grey, frame(pose([0.9] * 18)))
    assert tuple(drawn[100, 400]) == (255, 255, 255)
    assert tuple(drawn[112, 400]) == SIDES["body"]
    assert tuple(drawn[163, 400]) == SIDES["right_side"]


def test_a_pose_without_edges(grey: np.ndarray) -> None:
    label = pose([0.9] * 18)
    label["graph"]["edges"] = None
    assert changed(grey, draw_frame(grey, frame(label))).any()


def test_weak_keypoints_and_their_edges_are_left_out(grey: np.ndarray) -> None:
    drawn = draw_frame(grey, frame(pose([0.9, 0.9] + [0.1] * 16)))
    rows = np.nonzero(changed(grey, drawn).any(axis=1))[0]
    assert rows.min() > 90 and rows.max() < 135


def test_keypoints_that_were_not_annotated_are_left_out(grey: np.ndarray) -> None:
    label = pose([1.0] * 18)
    for index, node in enumerate(label["graph"]["nodes"]):
        del node["score"]
        if index < 2:
            node["visibility"] = "VN"[index]
        else:
            node["location"] = [0, 0]
    drawn = draw_frame(grey, frame(label))
    rows, columns = np.nonzero(changed(grey, drawn))
    assert rows.min() > 90 and rows.max() < 135 and columns.min() > 390
    assert tuple(drawn[100, 400]) == (255, 255, 255)
    assert tuple(drawn[125, 400]) != (255, 255, 255), "a hidden keypoint is a ring"


def test_names_do_not_cover_each_other_and_the_best_come_first(grey: np.ndarray) -> None:
    alone = draw_frame(grey, frame(car(0.95)))
    crowd = draw_frame(
        grey, frame(*(car(0.95 - 0.05 * index, 100 + index, 200 + index) for index in range(6)))
    )
    plate = np.s_[183:198, 100:165]
    assert np.array_equal(alone[plate], crowd[plate])


@pytest.mark.parametrize("place", [(-400.0, -300.0), (1e9, 1e9), (1200.0, 5.0), (-50.0, 700.0)])
def test_objects_at_and_beyond_the_edge(grey: np.ndarray, place: tuple[float, float]) -> None:
    drawn = draw_frame(grey, frame(car(0.9, *place)))
    assert drawn.shape == grey.shape


@pytest.mark.parametrize("size", [(16, 16), (90, 160), (2160, 3840)])
def test_every_size_of_picture(size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), 30, dtype=np.uint8)
    label = {"category": "car", "score": 0.9, "box2d": {"x1": 2, "y1": 2, "x2": 12, "y2": 12}}
    attributes = {"weather": "partly cloudy", "scene": "residential"}
    drawn = draw_frame(picture, frame(label, attributes=attributes))
    assert drawn.shape == picture.shape and changed(picture, drawn).any()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(picture: Any) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        draw_frame(picture, frame())


def test_pictures_beside_each_other(grey: np.ndarray) -> None:
    both = beside([grey, grey[:, :640]], ["ground truth", "predictions"])
    assert both.shape[0] > 720 and both.shape[1] > 1280 + 640
    assert np.array_equal(both[-720:, :1280], grey)
    with pytest.raises(ValueError, match=r"one height"):
        beside([grey, grey[:100]], ["a", "b"])
