"""All labels of a picture say the same."""

from __future__ import annotations

import numpy as np
import pytest
from bdd100k.label.label import drivables, labels
from pycocotools import mask as mask_codec

from bdd100k_models.data.mini.camera import Camera
from bdd100k_models.data.mini.categories import STUFF_ID, THING_ID
from bdd100k_models.data.mini.dataset import scene_of
from bdd100k_models.data.mini.labels import MIN_STUFF_PIXELS, PictureLabels, label
from bdd100k_models.data.mini.rendering import render
from bdd100k_models.data.mini.scene import Actor, Scene, Strip
from bdd100k_models.zoo.classes import DRIVABLE, INS_SEG, POSE_KEYPOINTS, SEM_SEG

#: City with a crowd or not, highway, residential, parking lot with rain, station, tunnel.
INDICES = (0, 7, 2, 3, 10, 5)


@pytest.fixture(scope="module", params=INDICES)
def made(request: pytest.FixtureRequest) -> PictureLabels:
    return label(render(scene_of("train", request.param, seed=1)), "a.jpg")


def _scene(*actors: Actor) -> Scene:
    return Scene(
        weather="clear",
        scene="city street",
        timeofday="daytime",
        camera=Camera(1000.0, 640.0, 340.0, 1.5),
        strips=(
            Strip("road", -1.75, 1.75, (90, 90, 90), "direct"),
            Strip("road", 1.75, 5.25, (90, 90, 90), "alternative"),
        ),
        markings=(),
        structures=(),
        actors=actors,
        hood=0.0,
        seed=3,
    )


def _decode(entry: dict) -> np.ndarray:
    return mask_codec.decode(entry["rle"]).astype(bool)


def test_ids_are_those_of_the_toolkit() -> None:
    for definition in labels:
        if definition.id:
            table = THING_ID if definition.hasInstances else STUFF_ID
            assert table[definition.name] == definition.id
    assert tuple(d.name for d in drivables) == DRIVABLE


def test_boxes_are_those_of_the_masks(made: PictureLabels) -> None:
    things = [
        entry
        for entry in made.frames["det_20"]["labels"]
        if entry["category"] not in ("traffic light", "traffic sign")
    ]
    instances = made.frames["ins_seg"]["labels"]
    assert len(things) == len(instances)
    for thing, instance in zip(things, instances, strict=True):
        rows, columns = np.nonzero(_decode(instance))
        box = thing["box2d"]
        assert (box["x1"], box["y1"]) == (columns.min(), rows.min())
        assert (box["x2"], box["y2"]) == (columns.max(), rows.max())
        assert thing["category"] == instance["category"]
        assert instance["attributes"].items() <= thing["attributes"].items()


def test_instances_do_not_overlap_and_fill_the_bitmask(made: PictureLabels) -> None:
    masks = [_decode(entry) for entry in made.frames["ins_seg"]["labels"]]
    total = np.sum(masks, axis=0)
    assert total.max() <= 1
    number = made.ins_seg[..., 2].astype(int) * 256 + made.ins_seg[..., 3]
    np.testing.assert_array_equal(total == 1, number > 0)
    for index, (mask, entry) in enumerate(
        zip(masks, made.frames["ins_seg"]["labels"], strict=True), start=1
    ):
        np.testing.assert_array_equal(number == index, mask)
        name = "truck" if entry["category"] == "trailer" else entry["category"]
        assert set(made.ins_seg[mask, 0]) == {INS_SEG.index(name) + 1}
        (flags,) = set(made.ins_seg[mask, 1])
        truth = entry["attributes"]
        assert bool(flags & 8) == truth["truncated"]
        assert bool(flags & 4) == truth["occluded"]
        assert bool(flags & 2) == truth["crowd"]
        assert bool(flags & 1) == (entry["category"] == "trailer")


def test_semantic_and_panoptic_agree(made: PictureLabels) -> None:
    train_id = np.full(41, 255)
    for definition in labels:
        train_id[definition.id] = definition.trainId
    # The toolkit has no train id for parking signs; nor are there any here.
    np.testing.assert_array_equal(train_id[made.pan_seg[..., 0]], made.sem_seg)


def test_panoptic_ids_are_the_categories_of_stuff_and_count_things(made: PictureLabels) -> None:
    category = made.pan_seg[..., 0].astype(int)
    number = made.pan_seg[..., 2].astype(int) * 256 + made.pan_seg[..., 3]
    stuff = category <= 30
    np.testing.assert_array_equal(number[stuff], category[stuff])
    things = np.unique(number[~stuff])
    np.testing.assert_array_equal(things, 31 + np.arange(len(things)))
    np.testing.assert_array_equal(~stuff, made.ins_seg[..., 3] > 0)
    for index, entry in enumerate(
        [e for e in made.frames["pan_seg"]["labels"] if e["category"] in THING_ID]
    ):
        np.testing.assert_array_equal(_decode(entry), number == 31 + index)


def test_maps_and_run_lengths_agree(made: PictureLabels) -> None:
    for task, values, names in (
        ("sem_seg", made.sem_seg, SEM_SEG),
        ("drivable", made.drivable, DRIVABLE[:2]),
    ):
        again = np.full(values.shape, 255)
        for entry in made.frames[task]["labels"]:
            again[_decode(entry)] = names.index(entry["category"])
        expected = np.where(values < len(names), values, 255)
        np.testing.assert_array_equal(again, expected)


def test_drivable_areas_are_road(made: PictureLabels) -> None:
    assert set(made.sem_seg[made.drivable < 2]) <= {SEM_SEG.index("road")}


def test_no_segment_is_a_sliver(made: PictureLabels) -> None:
    sizes = np.bincount(made.pan_seg[..., 0].ravel(), minlength=41)[1:31]
    for name in ("terrain", "building", "vegetation", "sky", "road"):
        size = sizes[STUFF_ID[name] - 1]
        assert size == 0 or size >= MIN_STUFF_PIXELS


def test_joints_lie_in_the_person(made: PictureLabels) -> None:
    people = {
        tuple(entry["box2d"].values()): _decode(instance)
        for entry, instance in zip(
            [e for e in made.frames["det_20"]["labels"] if e["category"] == "pedestrian"],
            [e for e in made.frames["ins_seg"]["labels"] if e["category"] == "pedestrian"],
            strict=True,
        )
    }
    for entry in made.frames["pose_21"]["labels"]:
        mask = people[tuple(entry["box2d"].values())]
        nodes = entry["graph"]["nodes"]
        assert tuple(node["category"] for node in nodes) == POSE_KEYPOINTS
        for node in nodes:
            x, y = node["location"]
            if "visibility" in node:
                assert mask[int(y), int(x)] == (node["visibility"] == "V")
            else:
                assert x in (0, 1279) or y in (0, 719)


def test_a_car_alone_on_the_road() -> None:
    made = label(render(_scene(Actor("car", 0.0, 12.0, height=1.5))), "a.jpg")
    (entry,) = made.frames["det_20"]["labels"]
    assert entry["category"] == "car"
    assert entry["attributes"] == {
        "occluded": False, "truncated": False, "crowd": False, "trafficLightColor": "NA",
    }  # fmt: skip
    # 1.85 m wide, its rear 9.8 m away; standing on the ground.
    assert entry["box2d"]["x2"] - entry["box2d"]["x1"] == pytest.approx(1850 / 9.8, rel=0.05)
    assert entry["box2d"]["y2"] == pytest.approx(340 + 1500 / 9.8, rel=0.03)


def test_a_car_behind_another_is_occluded() -> None:
    made = label(render(_scene(Actor("bus", 0.6, 24.0), Actor("car", 0.0, 9.0))), "a.jpg")
    flags = {e["category"]: e["attributes"]["occluded"] for e in made.frames["det_20"]["labels"]}
    assert flags == {"bus": True, "car": False}


def test_a_hidden_object_has_no_label() -> None:
    made = label(render(_scene(Actor("bicycle", 0.0, 30.0), Actor("truck", 0.0, 10.0))), "a.jpg")
    assert [e["category"] for e in made.frames["det_20"]["labels"]] == ["truck"]


def test_an_object_at_the_edge_is_truncated() -> None:
    made = label(render(_scene(Actor("car", 6.0, 9.0))), "a.jpg")
    (entry,) = made.frames["det_20"]["labels"]
    assert entry["attributes"]["truncated"]
    assert entry["box2d"]["x2"] == 1279


def test_a_crowd_has_one_label_and_no_pose() -> None:
    made = label(render(_scene(Actor("person", 0.0, 18.0, 3.1, 1.75, members=7))), "a.jpg")
    (entry,) = made.frames["det_20"]["labels"]
    assert entry["category"] == "pedestrian"
    assert entry["attributes"]["crowd"]
    assert made.frames["pose_21"]["labels"] == []


def test_trailers_are_trucks_that_instances_ignore_and_caravans_are_cars() -> None:
    made = label(render(_scene(Actor("trailer", 3.5, 14.0), Actor("caravan", -3.0, 14.0))), "a.jpg")
    assert sorted(e["category"] for e in made.frames["det_20"]["labels"]) == ["car", "trailer"]
    found = {tuple(v) for v in made.ins_seg[..., :2].reshape(-1, 2) if v[0]}
    assert found == {(INS_SEG.index("truck") + 1, 1), (INS_SEG.index("car") + 1, 0)}
    shown = set(made.pan_seg[..., 0].ravel())
    assert {THING_ID["trailer"], THING_ID["caravan"]} <= shown
