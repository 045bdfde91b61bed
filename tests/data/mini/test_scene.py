"""Descriptions of scenes: reproducible, balanced, and small enough."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from bdd100k_models.data.mini.dataset import scene_of
from bdd100k_models.data.mini.scene import SCENES, WEATHERS, describe
from bdd100k_models.zoo.classes import SCENE, WEATHER


def test_values_are_those_of_the_published_models() -> None:
    assert set(WEATHERS) == set(WEATHER) - {"undefined"}
    assert set(SCENES) == set(SCENE) - {"undefined"}


def test_the_same_seed_gives_the_same_scene() -> None:
    assert describe((1, 2, 3), "clear", "tunnel") == describe((1, 2, 3), "clear", "tunnel")
    assert describe((1, 2, 3), "clear", "tunnel") != describe((1, 2, 4), "clear", "tunnel")


def test_no_scene_of_one_split_is_in_another() -> None:
    assert scene_of("train", 5, seed=0) != scene_of("val", 5, seed=0)
    assert scene_of("val", 5, seed=0) != scene_of("test", 5, seed=0)


def test_36_pictures_show_every_pair_of_weather_and_scene_once() -> None:
    scenes = [scene_of("train", index, seed=0) for index in range(36)]
    pairs = Counter((scene.weather, scene.scene) for scene in scenes)
    assert len(pairs) == 36
    assert {scene.timeofday for scene in scenes} == {"daytime", "dawn/dusk", "night"}


def test_all_kinds_of_objects_appear_and_none_too_often() -> None:
    scenes = [scene_of("train", index, seed=0) for index in range(72)]
    assert max(len(scene.actors) for scene in scenes) < 100
    shown = Counter(actor.category for scene in scenes for actor in scene.actors)
    for category in (
        "car", "truck", "bus", "train", "caravan", "trailer", "motorcycle", "bicycle", "rider",
        "person", "traffic light", "traffic sign",
    ):  # fmt: skip
        assert shown[category] >= 8, category
    assert any(actor.members for scene in scenes for actor in scene.actors)


@pytest.mark.parametrize("scene", SCENES)
def test_riders_come_with_their_machines(scene: str) -> None:
    for index in range(12):
        actors = describe((9, index), "clear", scene).actors
        for before, actor in pairwise(actors):
            if actor.category == "rider":
                assert (before.category, before.x, before.z) == (actor.rider, actor.x, actor.z)
